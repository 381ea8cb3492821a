-- A stream of different events; a benchmark of duplicates would measure something else. FORMAT=postmark for Anymail,
-- FORMAT=without_whid for recipients who are looked up by their address.
local sarbacane = '{"email":"user%d.%d@example.com","campaignId":"vdsioBFBFDS15dsBSGSD","sendId":"feizjfsVGVGRS55grgrs444",'
  .. '"subject":"Test Manager","from":"user@email.com","operatingSystem":"LINUX","language":"en-US,en;q=0.5",'
  .. '"browser":"FIREFOX4 48.0","webmail":"Unknown","date":"2026-03-02T10:%02d:%02d.%03dZ","type":"open","whId":"0031t00000AbCdEAAV"}'
local postmark = '{"RecordType":"Open","Recipient":"user%d.%d@example.com","ReceivedAt":"2026-03-02T10:%02d:%02d.%03dZ",'
  .. '"MessageID":"883953f4-6105-42a2-a16a-77a8eac79483","FirstOpen":true,"Tag":"welcome-email","Platform":"Desktop",'
  .. '"UserAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:48.0)","Metadata":{"whId":"0031t00000AbCdEAAV"}}'
local format = ({postmark = postmark, without_whid = sarbacane:gsub(',"whId":"[^"]*"', "")})[os.getenv("FORMAT")] or sarbacane
local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Basic YmVuY2g6YmVuY2g="}
local seed = os.time()
local count = 0

function request()
  count = count + 1
  local event = string.format(format, seed, count, count / 60 % 60, count % 60, count % 1000)
  return wrk.format("POST", nil, headers, event)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
