"""The words of mail servers, and what they mean: Sarbacane hands on the text of whatever server refused.

Gathered 2026-11 from RFC 3463, 5321, 6376, 6647, 7208, 7372, 7489, 7504, 7505, the pages of the servers (Postfix,
Exim, Sendmail, qmail, Exchange, Apache James, Java mail), and the postmaster pages of the providers named. The texts
that other classifiers' tests know were read to see what is missing; their tables were not copied.
"""

from __future__ import annotations

from enum import StrEnum

from syncd.bounce_words import (
    ADDR,
    BROKEN,
    DISABLED,
    DOMAIN,
    FULL,
    HAN,
    HAN_DISABLED,
    HAN_FULL,
    HAN_SENDER,
    HAN_UNKNOWN,
    HAN_WHO,
    IP,
    LISTS,
    NO_SUCH,
    NOT_THE_RECIPIENT,
    OUR,
    REFUSED,
    SENDER,
    UNKNOWN,
    UNWANTED,
    WHO,
)


class Reason(StrEnum):
    """Why a mail bounced."""

    ADDRESS_UNKNOWN = "address_unknown"
    DOMAIN_UNKNOWN = "domain_unknown"
    MAILBOX_DISABLED = "mailbox_disabled"  # there, or it once was, but closed, suspended, moved
    MAILBOX_FULL = "mailbox_full"
    BLOCKED = "blocked"  # who sends: the IP address, its name, its reputation, the sender's address
    CONTENT = "content"  # what is sent: spam, a virus, a malformed message
    POLICY = "policy"  # the receiver's own rules, where they name neither sender nor content
    SENDER_AUTH = "sender_auth"  # SPF, DKIM, DMARC
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"  # too much or too soon; greylisting too
    NETWORK = "network"  # the way there, or a server out of order: nothing is known of the address
    RELAYING = "relaying"
    OTHER = "other"


R = Reason

# In the patterns: plain words, as `bounces._plain` leaves them; the words in capitals are in `bounce_words`.
# ` ~ ` stands for up to five words. Each pattern starts at a word.

UNAVAILABLE = (
    r"(?:(?:mail ?box|user|account) (?:is )?(?:currently )?(?:unava\w+|not available)|"
    r"unavailable (?:mail )?(?:user|mail ?box)|boite aux lettres (?:indisponible|non disponible)|"
    r"postfach (?:ist )?nicht (?:verfugbar|erreichbar)|buzon no disponible|casella (?:di posta )?non disponibile)"
)
SIZE_OF = r"(?:size |length |file |is |was |body |content |header )*"
SOMEBODY = r"(?:mail ?box(?:es)?|accounts?|users?|one|persons?|recipients?|address(?:es)?)"
SERVER = r"(?:server|service|system|host|mta|resources?)"
CANNOT = r"(?:unable to|cannot|can't|could not|couldn't|fail\w* to)"

TEXTS: tuple[tuple[Reason, str], ...] = (
    # Exim, Sendmail, Postfix: a passing trouble, in words that would else read as an unknown host or user
    (R.NETWORK, r"host not found try again|(?:temporar\w+|transient) (?:dns|name|lookup|resolution|failure in name)"),
    (R.NETWORK, r"(?:lookup|verification|resolution)(?: of)? ~ (?:temporar|in progress|tim(?:ed|e) ?out|defer)"),
    (R.NETWORK, r"(?:lookup|verification|resolution)(?: of)? ~ try again|could not be resolved temporarily"),
    (R.NETWORK, r"lost connection|conversation with ~ timed|(?:connection|read|operation|handshake) timed ?out"),
    (R.NETWORK, r"insufficient system (?:storage|resource)|lookup ~ (?:noerror|servfail)"),
    (R.NETWORK, r"(?:say|send|polite\w*) (?:helo|ehlo)"),
    (R.NETWORK, r"service (?:is )?currently unavailable|name ?server time ?out|host name lookup fail"),
    # cPanel names the client's address beside it; Exchange Online of a tenant without mailboxes, "unauthenticated"
    (R.RELAYING, r"(?:not|\w+n't) (?:\w+ )?(?:permitted|allowed|authori[sz]ed) to relay"),
    (R.DOMAIN_UNKNOWN, r"no mail enabled subscription"),
    # Exchange's transport rules name what they refuse: SenderNotAuthenticatedForGroup, NotAuthorized …
    (R.POLICY, r"resolver\.rst\.(?!\w*size)"),
    # RFC 7208, 6376, 7489; Gmail 5.7.26, Microsoft 5.7.509 and 5.7.515, Yahoo 5.7.9, Mimecast's anti-spoofing
    (R.SENDER_AUTH, r"(?:dmarc|spf|dkim|sender ?id|domain ?keys?|sender policy framework)(?![\w.])|unauthenticated"),
    (R.SENDER_AUTH, r"authentication level|(?:anti )?spoof|forged (?:sender|from|mail)"),
    (R.SENDER_AUTH, r"(?:pass|lacks?|fail\w*|without|missing) ~ authentication|sender ~ (?:un)?authenticated"),
    (R.SENDER_AUTH, r"not have ~ authentication information|authentication (?:checks?|results?) ~ fail"),
    # Google Groups, in 40 languages by its link only (`_LINK_WORDS`); Exchange 5.7.133
    (R.POLICY, r"groupposting|permission(?! denied)|restricted to"),
    (R.POLICY, r"only accepts? (?:mail|messages?) from|(?:external|outside) (?:mail|sender|e ?mail)|local users? only"),
    (R.POLICY, r"lpn007 51\d"),
    (R.POLICY, r"internal (?:users?|senders?|only|use)\b|(?:authori[sz]ed|allowed|permitted) to (?:send|post)"),
    # greylisting stands beside "client host rejected", "blocked using", "no reverse DNS": RFC 6647, postgrey
    (R.RATE_LIMITED, r"gr[ea]y ?list|postgrey"),
    # DNS lists (RFC 5782), Microsoft S3140/S3150, Free, GMX, T-Online, Comcast BL, Cox AUP#, AOL RTR, Proofpoint
    (R.CONTENT, r"surbl|uribl|(?:url|link|domain in ~ body)(?:s)? ~ (?:list|black|block)"),
    (R.CONTENT, r"(?:messages?|mails?) (?:missing|without|with no)\b|(?:banned|forbidden) content"),
    (R.BLOCKED, rf"{LISTS}|black (?:ip|mail)|(?:blocked|listed|found) (?:using|by|in|at|on) ~ (?:list|bl)\b"),
    (R.BLOCKED, r"bl0000\d\d|aup#\w*|(?:rtr|rly|dyn|con|dns) (?:b|t|nr|su|du|ch|bl|sc)\d?\b|(?:dy|ou) 001\b|sc 00\d\b"),
    (R.BLOCKED, r"tss\d\d"),
    (R.BLOCKED, r"ask your postmaster|reputation|senderbase|(?:user|many|excessive|spam) complaints"),
    (R.BLOCKED, r"refused due to abuse|listed (?:at|in|on|by) \S{1,63}\.\w"),
    (R.BLOCKED, r"open ?(?:relay|proxy)|spam ?(?:source|trap|mer)|sending spam|(?:bad|suspected spam) ip\b"),
    (R.BLOCKED, r"(?:spams?|unsolicited|abuse|junk) ~ from (?:your|this|ip)|too many ~ (?:unknown|invalid|bad|spam)"),
    (R.BLOCKED, r"excessive (?:\w+ )?(?:unknown|invalid|bad)|(?:blocked|rejected) by (?:the )?(?:recipient|user)"),
    (R.BLOCKED, r"(?:recipients?|user) (?:has )?blocked (?:you|the sender|sender|mail)|your access"),
    (R.BLOCKED, r"(?:connect\w*|mail|access|messages?) from ~ (?:country|region|location|continent)\b|geographic\w*"),
    (R.BLOCKED, r"your (?:country|region|location)"),
    (R.BLOCKED, r"(?:not|\w+n't) (?:\w+ )?(?:allowed|authori[sz]ed) to (?:connect|deliver)"),
    # reverse DNS, HELO, dynamic ranges: RFC 7372 (x.7.25), Postfix's reject_unknown_client and reject_unknown_helo
    (R.BLOCKED, r"reverse (?:dns|host|name|address|lookup|mapping|path|entry)|r?dns ptr|rdns|fcrdns|ptr\b"),
    (R.BLOCKED, r"(?:find|resolve|verify|match) ~ (?:your|client|sending|remote) (?:host|ip|address|server|domain)"),
    (R.BLOCKED, r"your host ?name|ip name lookup|helo\w*|ehlo\b|no (?:valid )?reverse|may not be mail exchanger"),
    (R.BLOCKED, r"(?:mail|message)s? from (?:this|your|that) (?!message)\w+"),
    (R.BLOCKED, rf"{IP} ~ (?:{REFUSED}|unresolv\w*\b(?! addr))|{REFUSED} ~ {IP}"),
    (R.BLOCKED, r"(?:dynamic|residential|dial ?up|generic|consumer)(?:ally)? ~ (?:ips?|address|hosts?|ranges?|pool)\b"),
    # the sending host or address named, and refused
    (R.BLOCKED, rf"{OUR} (?:ip|ips|host|server|network|mail ?server|isp|mta|subnet|range|system|domain)\b ~ {REFUSED}"),
    (R.BLOCKED, rf"(?:ips?|ip addresse?s?|mta|adresse ip)\b ~ (?:{REFUSED}|limited|policy|invalid|hang|not in|check)"),
    (R.BLOCKED, rf"{REFUSED} ~ (?:ips?|ip address|{OUR} (?:ip|host|server|domain|network|address))\b"),
    (R.BLOCKED, r"(?:invalid|sending) ips?\b|client (?:host|ip|address)|access denied banned|banned send"),
    (R.BLOCKED, r"unverifiable sending"),
    (R.BLOCKED, rf"(?:your|sending|client|connecting|ip) (?:\w+ )?(?:address|host|domain)(?: name)?\b ~ {UNKNOWN}"),
    (R.BLOCKED, r"no access (?:for|from) (?:this|your|mail server)|refused to talk"),
    (R.BLOCKED, r"your domain has no|from that domain|(?:invalid|bad) dns|return mx"),
    (R.BLOCKED, r"(?:sender|from)(?:'s)? (?:e ?mail )?(?:address|domain|account|host|mail ?box|name)\b"),
    (R.BLOCKED, rf"{SENDER}{NOT_THE_RECIPIENT}(?:{REFUSED}|{UNKNOWN}|verif|resolv|valid|suspend|missing|bad|spam)"),
    (R.BLOCKED, rf"{SENDER}{NOT_THE_RECIPIENT}(?:has no|must exist|not\b|\w+n't|un\w+ed)"),
    (R.BLOCKED, rf"(?:{NO_SUCH}|unverified|malformed|fake|{REFUSED}|verif\w*|domain of|no mx) ~ {SENDER}\b"),
    (R.BLOCKED, rf"(?:mail ?from|return path|from addr)\b ~ (?:{REFUSED}|invalid|unknown|resolv|exist|fail|mismatch)"),
    (R.BLOCKED, rf"from (?:address|domain|header)?\b ~ (?:{REFUSED}|invalid|resolv|exist)"),
    (R.BLOCKED, r"list of allowed senders|envelope blocked|(?:valid|bad|invalid) (?:from|return path)\b"),
    (R.BLOCKED, rf"{HAN}(?:黑名单|黑名單|ブロック|受信拒否|{HAN_SENDER}\w{{0,20}}(?:拒|{HAN_UNKNOWN}))"),
    # Gmail 4.2.1 and 4.7.28, Yahoo TS03, Orange OFR004, SFR, QQ, NetEase, Exchange "thread limit", RFC 6647
    (R.RATE_LIMITED, r"(?:rate|frequency|connections?|sessions?|thread|volume|recipients?|relay) ?limit|throttl"),
    (R.RATE_LIMITED, r"rl0000\d\d|rp 00\d"),
    (R.RATE_LIMITED, r"(?:rate|frequency|volume) ~ (?:exceed|too|prevent|limit|high|control|unusual)"),
    (R.RATE_LIMITED, r"slow(?:ing)? down|receiving too|mail flood|connection (?:count|time\b)|number of ~ connections"),
    (R.RATE_LIMITED, r"(?:unusual|excessive|high) (?:rate|volume|traffic|amount)"),
    (R.RATE_LIMITED, r"(?:receiving|sending|sent|connect\w+) ~ too (?:quick|fast|often|many)"),
    (R.MAILBOX_FULL, r"too many (?:messages|mails) (?:on|in) (?:the |this )?(?:server|mail ?box|inbox)|zuviele mails"),
    (R.RATE_LIMITED, r"too (?:many|much) ~ (?:connect|messages?|e ?mails?|mails?|recipients|rcpt|request|concurren)"),
    (R.RATE_LIMITED, r"too (?:many|much) ~ (?:session|error|command)|mailbox unavailable or access denied"),
    (R.RATE_LIMITED, r"(?:per|each) (?:hour|minute|day|connection|session|second|transaction)\b"),
    (R.RATE_LIMITED, r"(?:hourly|daily|sending|sender|outgoing) (?:quota|limit)"),
    (R.RATE_LIMITED, r"trop (?:de|d') ?(?:connexion|message|mail|requete|destinataire)"),
    (R.RATE_LIMITED, rf"{HAN}(?:频率|頻率|过于频繁|過於頻繁|流量制限|送信制限)"),
    # Postfix, Exim, Exchange "Unable to relay", qmail's rcpthosts, Microsoft 5.7.64; a login asked for
    (R.RELAYING, r"(?:unable|not|\w+n't|refus\w*|den\w+|cannot|no|prohibited|illegal) (?:\w+ ){0,2}relay"),
    (R.RELAYING, r"(?:unauthori[sz]ed|attempt\w*) (?:\w+ ){0,2}relay"),
    (R.RELAYING, r"relay(?:ing|ed)?\b ~ (?:disallow|disabl|restrict|fail)"),
    (R.RELAYING, r"relai?s?y?(?:ing|ed)?\b(?!\.) ~ (?:den|not|prohibit|refus|reject|forbid|interdit)"),
    (R.RELAYING, r"must (?:first )?(?:be )?(?:authenticate|log ?in)|authenticate before|client was not authenticated"),
    (R.RELAYING, r"(?:requires?|turn on) (?:smtp )?auth\w*|(?:smtp )?auth\w* (?:is )?(?:required|failed)"),
    (R.RELAYING, r"relay(?:ing)? check"),
    (R.RELAYING, r"tenantattribution|rcpthosts|not (?:a )?(?:local|hosted) (?:domain|host)|not a gateway"),
    (R.RELAYING, r"(?:receive|check) ~ mail before sending"),
    (R.MAILBOX_FULL, r"(?:mail ?box|inbox|mbox|maildir)(?:'s)? (?:\w+ ){0,3}(?:exceed|over|is full|full)"),
    # size: RFC 1870; before the mailbox, whose texts name a size too
    (R.TOO_LARGE, rf"(?:messages?|e ?mails?|attachments?|files?) {SIZE_OF}(?:too (?:big|large|long)|exceed|larger)"),
    (R.TOO_LARGE, r"(?:maximum|max|fixed|allowed) (?:message|mail|e ?mail|file|attachment)? ?(?:size|length)"),
    (R.TOO_LARGE, r"(?:message|mail) (?:size|length) (?:limit|restrict)"),
    (R.TOO_LARGE, r"size ~ (?:fixed|administrative) (?:maximum|limit)"),
    (R.TOO_LARGE, r"oversized?\b|too (?:big|large)\b|mail ?size|entity too"),
    (R.TOO_LARGE, r"message trop|taille (?:maximale|du message)|zu gross|demasiado grande|troppo grande|muito grande"),
    # RFC 3463 x.2.2; Gmail "out of storage space", Exchange QuotaExceeded, web.de "Speichervolumen", Orange OFR_417
    (R.MAILBOX_FULL, rf"(?:over|sur) ?(?:the )?quota|quotas?\b|quota ?exceed|{WHO} ~ (?:{FULL}|sur ?quota)"),
    (R.MAILBOX_FULL, r"(?:out of|insufficient|not enough|no|low|exhausted|exceed\w*|over) ~ (?:storage|disk|space)"),
    (R.MAILBOX_FULL, r"(?:insufficient|not enough|exceed\w*|over) ~ mail ?box (?:size|limit)|full mail ?box"),
    (R.MAILBOX_FULL, r"(?:over|exceed\w*) ~ (?:number of messages|message count)|space ~ used up|have enough space"),
    (R.MAILBOX_FULL, r"(?:storage|disk|mail ?box|mbox|inbox) (?:size |space |storage )*(?:limit|full|exceed)"),
    (R.MAILBOX_FULL, r"espace (?:disque|de stockage)|speicher\w*|overquota"),
    (R.MAILBOX_FULL, r"(?:space|storage) (?:is |was )?(?:not enough|insufficient|full|exceed)"),
    (R.MAILBOX_FULL, rf"{HAN}{HAN_WHO}\w{{0,20}}{HAN_FULL}|{HAN}{HAN_FULL}"),
    (R.CONTENT, r"character sets?|without ~ (?:to|from|date|subject) (?:fields?|header)"),
    (R.POLICY, r"(?:not|\w+n't) accept (?:\w+ )?(?:mail|e ?mail|messages?) from"),
    # RFC 3463 x.2.1 and x.1.6; Yahoo "disabled or discontinued", La Poste "compte … bloque", Gmail 5.2.1
    (R.MAILBOX_DISABLED, rf"{WHO} ~ {DISABLED}\b|{WHO} (?:that you ~ )?(?:is|has been|was) (?:\w+ )?blocked"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:not|\w+n't|no longer) (?:accept|receiv)\w* (?:any |new |e ?)*(?:mail|message)"),
    (R.MAILBOX_DISABLED, rf"(?:disabled|inactive|suspended|deactivated|closed|expired|locked) (?:\w+ )?{WHO}\b"),
    (R.MAILBOX_DISABLED, rf"{CANNOT} receive (?:any |more )*(?:mail|e ?mail|message)|(?:no ?|in)activity"),
    (R.MAILBOX_DISABLED, r"mail receiving disabled"),
    (R.MAILBOX_DISABLED, r"not able to receive any|no longer (?:in use|with us|employed)"),
    (R.MAILBOX_DISABLED, r"not currently (?:being )?accepted for"),
    (R.MAILBOX_DISABLED, rf"{ADDR} (?:is |has been )?(?:now |currently |an? )?{DISABLED}"),
    (R.MAILBOX_DISABLED, rf"{HAN}{HAN_WHO}\w{{0,20}}{HAN_DISABLED}"),
    # spam, viruses, and what RFC 5322 forbids
    (R.CONTENT, r"(?:virus|malware|trojan|worm|infect|phish|eicar)\w*(?!\.\w)"),
    (R.CONTENT, r"(?:spam\w*|junk(?: ?mail)?|unsolicited|bulk(?:mail)?|uce|ube|ant[iy] ?spam\w*|rspamd)\b(?![.@])"),
    (R.CONTENT, r"(?:its|message|mail|body|prohibited|bad|malicious|suspicious|inappropriate|objectionable) ?content"),
    (R.CONTENT, r"content (?:rej\w*|filter|den|restrict|not|policy|violat|block)|message filtered"),
    (R.CONTENT, r"attachment|executable|message id\b|(?:to|cc|subject|date) header|unsafe|password protected|mime\b"),
    (R.CONTENT, r"html tag"),
    (R.CONTENT, r"(?:banned|forbidden|prohibited) (?:file|ext|word|phrase)|rfc ?5?(?:5322|2822|822)\b|[78] ?bit"),
    (R.CONTENT, r"(?:bare|stray) (?:lf|cr|newline|line ?feed)|invalid (?:data in|characters)|comply with ~ standards"),
    (R.CONTENT, rf"{BROKEN} ~ (?:headers?|message id|date|subject|mime|charset)\b"),
    (R.CONTENT, r"headers? error|header ~ (?:invalid|missing|malformed|illegal)"),
    (R.CONTENT, r"malformed (?:message|mail|address)|ofr 506|(?:looks|seems) (?:like )?(?:suspicious|unwanted)|hvu"),
    (R.CONTENT, r"conversion (?:fail|require)"),
    (R.CONTENT, r"dt spm|suspicious|(?:file|dangerous) (?:ext|type)|urls?\b|ou 002\b"),
    (R.CONTENT, rf"{UNWANTED}|(?:contenu|contenido|conteudo|contenuto|inhalt)\b ~ {REFUSED}"),
    (R.CONTENT, rf"{HAN}(?:垃圾邮件|垃圾郵件|病毒|迷惑メール|スパム|ウイルス)"),
    (R.POLICY, r"(?:mail)?polic(?:y|ies)\b|politique|richtlinie\w*|politica|политик\w+|administrative"),
    (R.POLICY, r"local rule|rule imposed|(?:security|legal) (?:reason|restrict|check|error)"),
    # whatever else stands beside it: a blocked sender is never the address's fault (mautic 9222)
    (R.BLOCKED, r"block(?:ed|ing|s)?\b|banned|bloquee?s? par"),
    # Postfix, Exim, Sendmail, qmail on hosts; Apache James ("There are no DNS entries"), Java; RFC 7505's null MX
    (R.DOMAIN_UNKNOWN, rf"{DOMAIN} ~ (?:{UNKNOWN}|unresolv|(?:\w+n't|not|cannot) (?:be )?(?:resolv|valid|locat))"),
    (R.DOMAIN_UNKNOWN, rf"{DOMAIN} ~ (?:no (?:mx|dns|valid)|could not be|may not exist|retired|expired|no longer)"),
    (R.DOMAIN_UNKNOWN, rf"{NO_SUCH} (?:recipient |destination |mail |remote )*(?:host|domain)|unresolvable(?! addr)"),
    (R.DOMAIN_UNKNOWN, r"no domain\b|destination system address|domain ~ (?:accepts no mail|obsolete)"),
    (R.DOMAIN_UNKNOWN, r"no (?:\w+ )?(?:mx|dns|mail exchanger?s?|a record)\b ~ (?:record|entr|found|for|exist|host)"),
    (R.DOMAIN_UNKNOWN, r"no dns a"),
    (R.DOMAIN_UNKNOWN, r"no (?:mx|dns|a) record|no mail hosts? for|null mx|no route to domain|unroute?able"),
    (R.DOMAIN_UNKNOWN, r"unknownhostexception|nxdomain"),
    (R.DOMAIN_UNKNOWN, r"(?:couldn't|could not|can't|cannot) find (?:any host|a mail exchanger|\w+ host|domain)"),
    (R.DOMAIN_UNKNOWN, r"mx records? ~ non ?existent|address uses mx in"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|host) ~ (?:not|\w+n't) accept (?:any )?(?:e ?mail|mail)"),
    (R.DOMAIN_UNKNOWN, r"sorry i (?:couldn't|wasn't able to) find|(?:unable to|could not|cannot|can't) resolve"),
    (R.DOMAIN_UNKNOWN, rf"{HAN}(?:域名|网域|網域|ドメイン)\w{{0,20}}{HAN_UNKNOWN}"),
    # RFC 3463 x.1.1; every MTA has its own words for it
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ {UNKNOWN}|{NO_SUCH}(?: \w+| or \w+){{0,3}} {WHO}\b"),
    (R.ADDRESS_UNKNOWN, rf"{ADDR} (?!(?:invalid|unknown|illegal) \w)(?:is |was )?(?:an? )?{UNKNOWN}"),
    (R.ADDRESS_UNKNOWN, rf"no {SOMEBODY} (?:here|by that|with that|available|named|for|found|of that|match|\w+ here)"),
    (R.ADDRESS_UNKNOWN, r"no mail ?box$|not in (?:\w+ )?(?:recipient|user|address) list"),
    (R.ADDRESS_UNKNOWN, r"verify ~ correct (?:e ?mail )?address"),
    (R.ADDRESS_UNKNOWN, rf"(?:\w+n't|not) (?:\w+ ){{0,3}}have (?:an?|any|such) (?:\S+ )?{WHO}|recipient ?not ?found"),
    (R.ADDRESS_UNKNOWN, rf"{CANNOT} (?:find|locate|identify) ~ {WHO}\b"),
    (R.ADDRESS_UNKNOWN, r"(?:no|not an?) such (?:person|name|user|id)\b|(?:doesn't|does not) handle mail for ~ user"),
    (R.ADDRESS_UNKNOWN, r"resolver\.adr|not listed in ~ directory|mailbox name not allowed|not our customer|badrcptto"),
    (R.ADDRESS_UNKNOWN, r"nosuchuser|user lookup|unknown to ~ (?:server|directory)|no existe|user path no exist"),
    (R.ADDRESS_UNKNOWN, r"address (?:error|is not handled)"),
    (R.ADDRESS_UNKNOWN, r"recipient address rejected ~ fully.qualified"),
    (R.ADDRESS_UNKNOWN, rf"(?:no|not|\w+n't) exists? (?:\w+ )?{WHO}"),
    (R.ADDRESS_UNKNOWN, rf"not (?:an? )?(?:\w+ )?{WHO} (?:of|on|at|in|here)\b"),
    (R.ADDRESS_UNKNOWN, rf"{HAN}{HAN_WHO}\w{{0,20}}{HAN_UNKNOWN}|{HAN}(?:没有|沒有|无此|無此){HAN_WHO}|{HAN}查無此"),
    # IronPort; Exchange Online's directory-based edge blocking
    (R.ADDRESS_UNKNOWN, r"5\.4\.1 (?:addr )?recipient address rejected access denied|5\.1\.0 address rejected"),
    # the receiver's rules
    (R.POLICY, r"access denied|restricted|(?:not |un)authori[sz]ed"),
    (R.POLICY, r"(?:starttls|tls|encryption)\b ~ (?:requir|must|need|mandatory)|must issue a starttls"),
    (R.POLICY, r"(?:requir\w*|must use) (?:tls|starttls|encryption)|forbidden|prohibit\w*"),
    (R.POLICY, r"no permit|not welcome|registered users"),
    # the way there: sockets, Java's exceptions, loops, queues; RFC 3463 x.4
    (R.NETWORK, r"tim(?:ed|e) ?out|connect\w* ~ (?:refused|reset|lost|closed|fail|drop|broken|abort|error)"),
    (R.NETWORK, r"(?:unable|could ?n.t|could not|cannot|can't|fail\w*) (?:to )?(?:open |establish |an |smtp )*connect"),
    (R.NETWORK, r"(?:no route|not reachable|unreachable|socket|network)\b|(?:mail|routing|forwarding)? ?loop"),
    (R.NETWORK, r"too many hops|hop count|loops? back|points (?:back )?to|broken pipe|end of file|eof\b"),
    (R.NETWORK, r"no (?:response|answer|reply)|not respond\w*|name ?(?:service|server) (?:error|fail)"),
    (R.NETWORK, r"dns ~ (?:error|fail)|servfail|(?:host|mx|dns|name) lookup|ldap|databa?se|i/o error"),
    (R.NETWORK, rf"protocol violation|{CANNOT} open|can not open|error writing|could not be stored|out of memory"),
    (R.NETWORK, r"tls (?:handshake|negotiat)|sslhandshake|service refuse"),
    (R.NETWORK, rf"{SERVER}\b ~ (?:busy|down|unavailable|not available|error|overload)"),
    (R.NETWORK, rf"{SERVER}\b ~ (?:shutting|offline|maintenance|problem|fail)"),
    (R.NETWORK, r"(?:local|internal|system|server|processing|configuration)(?: \w+)? (?:error|problem|failure|fault)"),
    (R.NETWORK, r"(?:queue|protocol|unexpected|unknown mail(?:er)?)(?: \w+)? (?:error|problem|failure|fault)"),
    (R.NETWORK, r"(?:delivery|message) (?:time )?expired|too long in|in (?:the )?queue"),
)
"""Read in order; the first that is found decides."""

# Words that say little: only when no enhanced code says more.
LOOSE_TEXTS: tuple[tuple[Reason, str], ...] = (
    # RFC 5321 "mailbox unavailable" with 550 is Outlook.com's and GMX's unknown user; with 450 it says "busy"
    (R.POLICY, rf"5\.7\.\d{{1,3}} ~ {UNAVAILABLE}"),
    (R.ADDRESS_UNKNOWN, rf"55[0-4] (?:\S+ ){{0,9}}{UNAVAILABLE}"),
    (R.BLOCKED, r"(?:deferred|delayed) ~ (?:complaint|volume)|permanently deferred|denyip"),
    (R.MAILBOX_DISABLED, r"is (?:now |currently )?(?:disabled|deactivated|inactive|suspended)\b"),
    (R.RATE_LIMITED, r"temporarily deferred|message deferred"),
    (R.NETWORK, r"temporar\w+|try (?:again|it|later)|(?:later|after) retry|busy|unavailable|not available|deferred"),
    (R.NETWORK, r"delay(?:ed)?\b|after \d+ (?:hour|day)|syntax error|bad sequence|not implemented"),
    (R.NETWORK, r"unrecogni[sz]ed command|need (?:rcpt|mail|recipient)|mailer"),
    (R.POLICY, r"(?:message|mail|e ?mail|delivery)\b ~ (?:reject|refus|not accept|den|declin|disallow|rejet)"),
    (R.POLICY, r"(?:transaction|connection|access|service|request|content)\b ~ (?:reject|refus|not accept|den|declin)"),
    (R.POLICY, r"(?:transaction|connection|access|service|request|content)\b ~ (?:disallow|rejet)"),
    (R.POLICY, r"not (?:allowed|permitted|acceptable)|reject|refused|denied|declined|rejet|administrator"),
    (R.POLICY, r"quarantin|held for|(?:won't|not|\w+n't) accept(?:ing)? (?:this |your |any )?(?:mail|message|e ?mail)"),
)
