"""The words of mail servers, and what they mean: Sarbacane hands on the text of whatever server refused.

Gathered 2026-11 from RFC 3463, 5321, 6376, 6647, 7208, 7372, 7489, 7504, 7505, the pages of the servers (Postfix,
Exim, Sendmail, qmail, Exchange, Apache James, Java mail), and the postmaster pages of the providers named.
"""

from __future__ import annotations

from enum import StrEnum


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

# In the patterns: plain words, lower-case, without accents, addresses, links and punctuation, `-` and `_` as spaces
# (bounces._plain). ` ~ ` stands for up to five words. Each pattern starts at a word.

WHO = (
    r"(?:users?|recipients?|mail ?box(?:es)?|accounts?|address(?:es)?|addressee|alias|inbox|customer|subscriber|person|"
    r"local ?part|destinataires?|utilisateur|adresse|compte|boite|benutzer|empfanger|postfach|usuario|destinatario|"
    r"utente|casella|cuenta)(?:'s)?"
)
OUR = r"(?:your|sending|sender'?s?|client|remote|connecting|source|originating)"
IP = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
REFUSED = (
    r"(?:block|black|ban|den(?:y|ied)|reject|refus|forbid|prohibit|listed|not (?:allow|accept|permit|authori[sz]))\w*"
)

TEXTS: tuple[tuple[Reason, str], ...] = (
    # Exim, Sendmail, Postfix: a passing trouble, in words that would else read as an unknown host or user
    (R.NETWORK, r"host not found try again|(?:temporar\w+|transient) (?:dns|name|lookup|resolution|failure in name)"),
    (R.NETWORK, r"could not be resolved temporarily"),
    (R.NETWORK, r"(?:lookup|verification|resolution)(?: of)? ~ (?:temporar|in progress|tim(?:ed|e) ?out|defer)"),
    (R.NETWORK, r"(?:lookup|verification|resolution)(?: of)? ~ try again"),
    (R.NETWORK, r"lost connection|conversation with ~ timed|(?:connection|read|operation|handshake) timed ?out"),
    (R.NETWORK, r"insufficient system (?:storage|resource)|lookup ~ (?:noerror|servfail)"),
    (R.NETWORK, r"service currently unavailable"),
    # RFC 7208, 6376, 7489; Gmail 5.7.26, Microsoft 5.7.509 and 5.7.515, Yahoo 5.7.9, Mimecast's anti-spoofing
    (R.SENDER_AUTH, r"(?:dmarc|spf|dkim|sender ?id|domain ?keys?|sender policy framework)(?![\w.])|unauthenticated"),
    (R.SENDER_AUTH, r"authentication level"),
    (R.SENDER_AUTH, r"(?:pass|lacks?|fail\w*|have|without|missing) ~ authentication|sender ~ (?:un)?authenticated"),
    (R.SENDER_AUTH, r"(?:anti )?spoof|forged (?:sender|from|mail)|authentication (?:checks?|results?) ~ fail"),
    # Google Groups, in 40 languages by its link only (`_LINK_WORDS`); Exchange RESOLVER.RST, 5.7.133
    (R.POLICY, r"groupposting|resolver\.rst\.(?!\w*size)|permission|restricted to"),
    (R.POLICY, r"only accepts? (?:mail|messages?) from|(?:external|outside) (?:mail|sender|e ?mail)"),
    (R.POLICY, r"internal (?:users?|senders?|only|use)\b|(?:authori[sz]ed|allowed|permitted) to (?:send|post)"),
    # DNS lists (RFC 5782), Microsoft S3140/S3150, Free, GMX, T-Online, Comcast BL, Cox AUP#, AOL RTR, Proofpoint
    (R.CONTENT, r"(?:surbl|uribl|url|link|domain in ~ body)(?:s)? ~ (?:list|black|block)"),
    (R.BLOCKED, r"\w*(?:rbl|dnsbl|spamhaus|spamcop|sorbs|barracudacentral|uceprotect|mailspike|invaluement)\b"),
    (R.BLOCKED, r"(?:black|block|deny|reject|ban) ?(?:list|hole)"),
    (R.BLOCKED, r"(?:blocked|listed|found) (?:using|by|in|at|on) ~ (?:list|bl)\b"),
    (R.BLOCKED, r"bl0000\d\d|aup#\w*|(?:rtr|rly|dyn|con|dns) (?:b|t|nr|su|du|ch|bl|sc)\d?\b|ask your postmaster"),
    (R.BLOCKED, r"tss\d\d"),
    (R.BLOCKED, r"reputation|(?:user|many|excessive|spam) complaints|open (?:relay|proxy)|spam ?(?:source|trap|mer)"),
    (R.BLOCKED, r"(?:spams?|unsolicited|abuse|junk) ~ from (?:your|this|ip)|too many ~ (?:unknown|invalid|bad|spam)"),
    (R.BLOCKED, r"blocked by (?:the )?(?:recipient|user)"),
    (R.BLOCKED, r"(?:recipient|user) (?:has )?blocked (?:you|the sender|sender|mail)"),
    # reverse DNS, HELO, dynamic ranges: RFC 7372 (x.7.25), Postfix's reject_unknown_client and reject_unknown_helo
    (R.BLOCKED, r"reverse (?:dns|host|name|address|lookup|mapping|path|entry)|r?dns ptr|rdns|fcrdns|ptr\b"),
    (R.BLOCKED, r"ip name lookup"),
    (R.BLOCKED, r"(?:find|resolve|verify|match) ~ (?:your|client|sending|remote) (?:host|ip|address|server|domain)"),
    (R.BLOCKED, r"your host ?name"),
    (R.BLOCKED, r"helo\b|ehlo\b|no (?:valid )?reverse|may not be mail exchanger"),
    (R.BLOCKED, r"(?:mail|message)s? from (?:this|your|that) (?!message)\w+"),
    (R.BLOCKED, rf"{IP} ~ (?:{REFUSED}|unresolv\w*)|{REFUSED} ~ {IP}"),
    (R.BLOCKED, r"(?:dynamic|residential|dial ?up|dialup|generic)(?:ally)? ~ (?:ip|ips|address|hosts?|ranges?|pool)\b"),
    (R.BLOCKED, r"consumer(?:ally)? ~ (?:ip|ips|address|hosts?|ranges?|pool)\b"),
    # the sending host or address named, and refused
    (R.BLOCKED, rf"{OUR} (?:ip|ips|host|server|network|mail ?server|isp|mta|subnet|range|system|domain)\b ~ {REFUSED}"),
    (R.BLOCKED, rf"(?:ip|ips|ip addresse?s?|mta|adresse ip)\b ~ (?:{REFUSED}|bloqu|limited|policy|invalid)"),
    (R.BLOCKED, rf"{REFUSED} ~ (?:ips?|ip address|{OUR} (?:ip|host|server|domain|network|address))\b"),
    (R.BLOCKED, r"(?:invalid|sending) ips?\b"),
    (R.BLOCKED, r"client host|access denied banned|banned send|unverifiable sending|refused to talk"),
    (R.BLOCKED, r"no access from mail server"),
    (R.BLOCKED, r"(?:sender|from)(?:'s)? (?:e ?mail )?(?:address|domain|account|host|mail ?box|name)\b"),
    (R.BLOCKED, rf"(?:sender|expediteur|absender)\b(?: address| domain)? ~ (?:{REFUSED}|invalid|unknown|bad)"),
    (R.BLOCKED, rf"(?:remitente|mittente)\b(?: address| domain)? ~ (?:{REFUSED}|invalid|unknown|bad)"),
    (R.BLOCKED, r"(?:sender|expediteur)\b ~ (?:verif|exist|found|resolv|valid|suspend|missing|refus|rejet|inconnu)"),
    (R.BLOCKED, r"(?:sender|expediteur)\b ~ (?:interdit|spam)"),
    (R.BLOCKED, r"(?:invalid|unknown|bad|unverified|malformed|fake|blocked|reject\w*|verif\w*|den\w+) ~ sender\b"),
    (R.BLOCKED, r"domain of ~ sender\b"),
    (R.BLOCKED, rf"(?:mail from|return path|envelope from)\b ~ (?:{REFUSED}|invalid|resolv|exist)"),
    (R.BLOCKED, rf"from (?:address|domain|header)?\b ~ (?:{REFUSED}|invalid|resolv|exist)"),
    (R.BLOCKED, r"list of allowed senders"),
    (R.BLOCKED, r"envelope blocked|mail ?from command (?:fail|reject)|(?:valid|bad|invalid) (?:from|return path)\b"),
    # Gmail 4.2.1 and 4.7.28, Yahoo TS03, Orange OFR004, SFR, QQ, NetEase, Exchange "thread limit", RFC 6647
    (R.RATE_LIMITED, r"gr[ea]y ?list|(?:rate|frequency|connections?|sessions?|thread|volume|recipients?) ?limit"),
    (R.RATE_LIMITED, r"throttl|rl0000\d\d"),
    (R.RATE_LIMITED, r"(?:rate|frequency|volume) ~ (?:exceed|too|prevent|limit|high|control|unusual)"),
    (R.RATE_LIMITED, r"slow(?:ing)? down|receiving too|mail flood|connection count"),
    (R.RATE_LIMITED, r"(?:unusual|excessive|high) (?:rate|volume|traffic|amount)"),
    (R.RATE_LIMITED, r"(?:receiving|sending|sent|connect\w+) ~ too (?:quick|fast|often|many)"),
    (R.MAILBOX_FULL, r"too many (?:messages|mails) (?:on|in) (?:the |this )?(?:server|mail ?box|inbox)|zuviele mails"),
    (R.RATE_LIMITED, r"too (?:many|much) ~ (?:connect|messages?|e ?mails?|mails?|recipients|rcpt|request|concurren)"),
    (R.RATE_LIMITED, r"too (?:many|much) ~ (?:session|error|command)"),
    (R.RATE_LIMITED, r"(?:per|each) (?:hour|minute|day|connection|session|second)\b"),
    (R.RATE_LIMITED, r"(?:hourly|daily|sending|sender|outgoing) (?:quota|limit)"),
    (R.RATE_LIMITED, r"trop (?:de|d') ?(?:connexion|message|mail|requete|destinataire)"),
    (R.RATE_LIMITED, r"mailbox unavailable or access denied"),
    # Postfix, Exim, Exchange "Unable to relay", qmail's rcpthosts, Microsoft 5.7.64; a login asked for
    (R.RELAYING, r"(?:unable|not|refus\w*|den\w+|cannot|can't|don't|do not|no|prohibited|illegal) (?:\w+ ){0,2}relay"),
    (R.RELAYING, r"(?:unauthori[sz]ed|attempt\w*) (?:\w+ ){0,2}relay"),
    (R.RELAYING, r"must (?:first )?(?:be )?(?:authenticate|log ?in)|authenticate before"),
    (R.RELAYING, r"relay(?:ing|ed)?\b(?!\.) ~ (?:den|not|prohibit|refus|reject|disabl|forbid|fail|restrict|interdit)"),
    (R.RELAYING, r"tenantattribution"),
    (R.RELAYING, r"rcpthosts|not (?:a )?(?:local|hosted) (?:domain|host)|(?:smtp )?auth\w* (?:is )?required"),
    (R.RELAYING, r"client was not authenticated"),
    (R.MAILBOX_FULL, r"(?:mail ?box|inbox|mbox|maildir)(?:'s)? (?:\w+ ){0,3}(?:exceed|over|is full|full)"),
    # size: RFC 1870; before the mailbox, whose texts name a size too
    (R.TOO_LARGE, r"messages? (?:size |length |file |is |was |body |content |header )*(?:too big|exceed|larger)"),
    (R.TOO_LARGE, r"messages? (?:size |length |file |is |was |body |content |header )*(?:too (?:large|long)|exceed)"),
    (R.TOO_LARGE, r"messages? (?:size |length |file |is |was |body |content |header )*larger"),
    (R.TOO_LARGE, r"mails? (?:size |length |file |is |was |body |content |header )*(?:too big|exceed|larger)"),
    (R.TOO_LARGE, r"mails? (?:size |length |file |is |was |body |content |header )*(?:too (?:large|long)|exceed)"),
    (R.TOO_LARGE, r"mails? (?:size |length |file |is |was |body |content |header )*larger"),
    (R.TOO_LARGE, r"e ?mails? (?:size |length |file |is |was |body |content |header )*(?:too big|exceed|larger)"),
    (R.TOO_LARGE, r"e ?mails? (?:size |length |file |is |was |body |content |header )*(?:too (?:large|long)|exceed)"),
    (R.TOO_LARGE, r"e ?mails? (?:size |length |file |is |was |body |content |header )*larger"),
    (R.TOO_LARGE, r"(?:attachment|file)s? (?:size |length |file |is |was |body |content |header )*(?:too big|exceed)"),
    (R.TOO_LARGE, r"(?:attachment|file)s? (?:size |length |file |is |was |body |content |header )*larger"),
    (R.TOO_LARGE, r"(?:attachment|file)s? (?:size |length |file |is |was |body |content |header )*too (?:large|long)"),
    (R.TOO_LARGE, r"(?:attachment|file)s? (?:size |length |file |is |was |body |content |header )*(?:exceed|larger)"),
    (R.TOO_LARGE, r"(?:maximum|max|fixed|allowed) (?:message|mail|e ?mail|file|attachment)? ?(?:size|length)"),
    (R.TOO_LARGE, r"(?:message|mail) (?:size|length) (?:limit|restrict)"),
    (R.TOO_LARGE, r"oversized?\b|too (?:big|large)\b|entity too|size ~ (?:fixed|administrative) (?:maximum|limit)"),
    (R.TOO_LARGE, r"message trop|taille (?:maximale|du message)"),
    # RFC 3463 x.2.2; Gmail "out of storage space", Exchange QuotaExceeded, web.de "Speichervolumen", Orange OFR_417
    (R.MAILBOX_FULL, r"over ?(?:the )?quota"),
    (R.MAILBOX_FULL, r"quota ~ (?:exceed|full|reach|violat|limit|depass|attein|erreich|uberschr)|quota ?exceed"),
    (R.MAILBOX_FULL, r"exceed\w* ~ quota"),
    (R.MAILBOX_FULL, rf"{WHO} ~ (?:full|exceed\w*|overflow|over (?:its|the|his|their|size)|pleine?s?|saturee?)\b"),
    (R.MAILBOX_FULL, rf"{WHO} ~ (?:sur ?quota|voll|llen[oa]|pien[oa])\b"),
    (R.MAILBOX_FULL, r"(?:out of|insufficient|not enough|no|low on) ~ (?:storage|disk|space|mail ?box (?:size|limit))"),
    (R.MAILBOX_FULL, r"(?:exhausted|exceed\w*|over) ~ (?:storage|disk|space|mail ?box (?:size|limit))"),
    (R.MAILBOX_FULL, r"full mail ?box"),
    (R.MAILBOX_FULL, r"(?:storage|disk|mail ?box|mbox|inbox) (?:size |space |storage )*(?:limit|quota|full|exceed)"),
    (R.MAILBOX_FULL, r"espace (?:disque|de stockage)|speicher\w*|(?:over|sur) ?quota"),
    (R.MAILBOX_FULL, r"(?:space|storage) (?:is |was )?(?:not enough|insufficient|full|exceed)"),
    (R.POLICY, r"(?:not|\w+n't) accept (?:\w+ )?(?:mail|e ?mail|messages?) from"),
    # RFC 3463 x.2.1 and x.1.6; Yahoo "disabled or discontinued", La Poste "compte … bloque", Gmail 5.2.1
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:disabled?|deactivated|inactive|suspended|locked|closed|expired|terminated)\b"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:discontinued|frozen|on hold)\b"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:deleted|removed|cancell?ed|desactivee?|suspendue?|bloquee?|fermee?|resilie)\b"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:cloture|supprimee?|gesperrt|deaktiviert)\b"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:(?:has )?moved|migrated|not (?:currently |yet )?activ|no longer has\b)"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ no longer (?:active|in use|used|available|valid|accept|with|work|recei|on|at)"),
    (R.MAILBOX_DISABLED, rf"{WHO} (?:that you ~ )?(?:is|has been|was) (?:\w+ )?blocked"),
    (R.MAILBOX_DISABLED, rf"{WHO} ~ (?:not|\w+n't) (?:accept|receiv)\w* (?:any |new )?(?:mail|e ?mail|message)"),
    (R.MAILBOX_DISABLED, rf"(?:disabled|inactive|suspended|deactivated|closed|expired|locked) (?:\w+ )?{WHO}\b"),
    (R.MAILBOX_DISABLED, rf"(?:deleted|dormant) (?:\w+ )?{WHO}\b"),
    (R.MAILBOX_DISABLED, r"no longer (?:in use|with us|employed)"),
    # spam, viruses, and what RFC 5322 forbids
    (R.CONTENT, r"(?:virus|malware|trojan|worm|infect|phish|eicar)\w*(?!\.\w)"),
    (R.CONTENT, r"(?:spam|junk|unsolicited|bulk|uce|ube)\b(?![.@])|spam ?assassin|rspamd"),
    (R.CONTENT, r"(?:its|message|mail|body|prohibited|bad|malicious|suspicious|inappropriate|objectionable) ?content"),
    (R.CONTENT, r"content (?:reject|filter|den|restrict|not|policy|violat|block)"),
    (R.CONTENT, r"attachment|executable|message id\b|(?:to|cc|subject|date) header|unsafe"),
    (R.CONTENT, r"(?:banned|forbidden|prohibited) (?:file|ext|word|phrase)|rfc ?5?(?:5322|2822|822)\b|8 ?bit"),
    (R.CONTENT, r"(?:bare|stray) (?:lf|cr|newline|line ?feed)"),
    (R.CONTENT, r"(?:missing|invalid|malformed|duplicate) ~ (?:header|headers|message id|date|subject|mime|charset)\b"),
    (R.CONTENT, r"(?:multiple|bad|illegal|improper|no) ~ (?:header|headers|message id|date|subject|mime|charset)\b"),
    (R.CONTENT, r"header ~ (?:invalid|missing|malformed|illegal)"),
    (R.CONTENT, r"malformed (?:message|mail|address)|ofr 506|(?:looks|seems) (?:like )?(?:suspicious|unwanted)|hvu"),
    (R.CONTENT, r"dt spm|suspicious"),
    (R.CONTENT, r"(?:file|dangerous) (?:ext|type)|urls?\b"),
    (R.POLICY, r"polic(?:y|ies)\b|politique|local rule|administrative"),
    # RFC 5321 "mailbox unavailable" with 550 is Outlook.com's and GMX's unknown user; with 450 it says "busy"
    (R.ADDRESS_UNKNOWN, r"55[0-3] (?!5\.(?:7|2\.2))(?:\S+ ){0,9}mail ?box (?:is )?(?:unavailable|not available)"),
    (R.NETWORK, r"mail ?box (?:is )?(?:temporarily |currently )?(?:unavailable|not available|busy|locked|in use)"),
    # Postfix, Exim, Sendmail, qmail on hosts; Apache James ("There are no DNS entries"), Java; RFC 7505's null MX
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b(?: or domain name)? ~ (?:not found|unknown)"),
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b(?: or domain name)? ~ \w+n't exist"),
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b(?: or domain name)? ~ (?:does |do )?not exist"),
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b(?: or domain name)? ~ (?:nonexist|non exist|inconnu)"),
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b(?: or domain name)? ~ introuvable"),
    (R.DOMAIN_UNKNOWN, r"(?:host|domain|domaine)(?: name)?s?\b ~ (?:invalid|unresolv)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:(?:\w+n't|not) (?:be )?found|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:cannot (?:be )?found|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:\w+n't (?:be )?found|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?found|no mx|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?found|no (?:dns|valid))"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ could not be"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:\w+n't (?:be )?(?:resolv|valid)|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:\w+n't (?:be )?locat|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?resolv|no (?:mx|dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?(?:valid|locat)|no (?:mx|dns)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"host(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?(?:valid|locat)|no valid|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:\w+n't (?:be )?resolv|no (?:mx|dns)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:\w+n't (?:be )?resolv|no valid|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:\w+n't (?:be )?(?:valid|locat)|no mx|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:\w+n't (?:be )?(?:valid|locat)|no (?:dns|valid))"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ could not be"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?resolv|no mx|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?resolv|no (?:dns|valid))"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ could not be"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:(?:not|cannot) (?:be )?(?:valid|locat)|no mx)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ could not be"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:not|cannot) (?:be )?(?:valid|locat)"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|domaine)(?: name)?s?\b ~ (?:no (?:dns|valid)|could not be)"),
    (R.DOMAIN_UNKNOWN, r"(?:unknown|invalid|no such) (?:recipient |destination |mail |remote )*(?:host|domain)"),
    (R.DOMAIN_UNKNOWN, r"(?:nonexistent|non existent|bad) (?:recipient |destination |mail |remote )*(?:host|domain)"),
    (R.DOMAIN_UNKNOWN, r"(?:illegal|unresolvable) (?:recipient |destination |mail |remote )*(?:host|domain)"),
    (R.DOMAIN_UNKNOWN, r"no (?:\w+ )?(?:mx|dns|mail exchanger?s?|a record)\b ~ (?:record|entr|found|for|exist|host)"),
    (R.DOMAIN_UNKNOWN, r"no (?:mx|dns|a) record|unknownhostexception|nxdomain"),
    (R.DOMAIN_UNKNOWN, r"unroute?able"),
    (R.DOMAIN_UNKNOWN, r"(?:couldn't|could not|can't|cannot) find (?:any host|a mail exchanger|\w+ host|domain)"),
    (R.DOMAIN_UNKNOWN, r"null mx|mx records? ~ non ?existent"),
    (R.DOMAIN_UNKNOWN, r"(?:domain|host) ~ (?:not|\w+n't) accept (?:any )?(?:e ?mail|mail)"),
    (R.DOMAIN_UNKNOWN, r"sorry i (?:couldn't|wasn't able to) find|(?:unable to|could not|cannot|can't) resolve"),
    # RFC 3463 x.1.1; every MTA has its own words for it
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:unknown|not found|notfound|invalid|nonexist\w*|non exist\w*)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:does |do |is )?(?:not|\w+n't) exist(?:s|ing)?\b|does exist)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ no longer exists?"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?known)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?found)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?exist)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?valid)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?verified)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:not (?:be )?(?:a |an |in )?(?:\w+ )?(?:recogni[sz]ed|listed|local|defined))"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:not (?:be )?(?:a |an |in )?(?:\w+ )?identified)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?recogni[sz]ed)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:\w+n't (?:be )?(?:a |an |in )?(?:\w+ )?(?:listed|local|defined|identified))"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?(?:listed|local))"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:(?:never|cannot) (?:be )?(?:a |an |in )?(?:\w+ )?(?:defined|identified))"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:can not (?:be )?(?:a |an |in )?(?:\w+ )?(?:defined|identified))"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:inconnu|n'existe|invalide|introuvable|incorrect|unbekannt|nicht bekannt)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:existiert nicht|nicht gefunden|no existe|desconocid|inesistente|sconosciut)"),
    (R.ADDRESS_UNKNOWN, rf"{WHO} ~ (?:isn't here|not here)"),
    (R.ADDRESS_UNKNOWN, rf"(?:unknown|invalid|no such|nonexistent|non existent)(?: \w+| or \w+){{0,3}} {WHO}\b"),
    (R.ADDRESS_UNKNOWN, rf"(?:illegal|incorrect|undeliverable|unrecogni[sz]ed)(?: \w+| or \w+){{0,3}} {WHO}\b"),
    (R.ADDRESS_UNKNOWN, rf"(?:ambiguous|bad|no valid|not a valid|not our|wrong)(?: \w+| or \w+){{0,3}} {WHO}\b"),
    (R.ADDRESS_UNKNOWN, r"no (?:mail ?box|account|user|one|person|recipient|address)s? (?:here|by that|with that)"),
    (R.ADDRESS_UNKNOWN, r"no (?:mail ?box|account|user|one)s? (?:named|for|found|of that|matching|at this|\w+ here)"),
    (R.ADDRESS_UNKNOWN, r"no (?:person|recipient|address)s? (?:named|for|found|of that|matching|at this|\w+ here)"),
    (R.ADDRESS_UNKNOWN, r"(?:doesn't|does not) (?:\w+ ){0,3}have (?:an?|any|such) (?:\S+ )?(?:account|user|mail ?box)"),
    (R.ADDRESS_UNKNOWN, r"(?:do not|don't) (?:\w+ ){0,3}have (?:an?|any|such) (?:\S+ )?(?:account|user|mail ?box)"),
    (R.ADDRESS_UNKNOWN, r"(?:no|not an?) such (?:person|name|user)|recipient ?not ?found"),
    (R.ADDRESS_UNKNOWN, rf"(?:unable to|cannot|can't|could not|couldn't) (?:find|locate|identify) ~ {WHO}\b"),
    (R.ADDRESS_UNKNOWN, r"resolver\.adr|not listed in ~ directory|mailbox name not allowed|not our customer"),
    (R.ADDRESS_UNKNOWN, r"user lookup|unknown to ~ (?:server|directory)|no existe"),
    # IronPort; Exchange Online's directory-based edge blocking
    (R.ADDRESS_UNKNOWN, r"5\.4\.1 recipient address rejected access denied|5\.1\.0 address rejected"),
    # the receiver's rules
    (R.POLICY, r"access denied"),
    (R.POLICY, r"(?:security|legal) (?:reason|restrict|polic|check|error)|restricted|not authori[sz]ed"),
    (R.POLICY, r"unauthori[sz]ed"),
    (R.POLICY, r"(?:starttls|tls|encryption)\b ~ (?:requir|must|need|mandatory)|must issue a starttls"),
    (R.POLICY, r"(?:requir\w*|must use) (?:tls|starttls|encryption)|forbidden|prohibited"),
    (R.BLOCKED, r"block(?:ed|ing|s)?\b|banned"),
    # the way there: sockets, Java's exceptions, loops, queues; RFC 3463 x.4
    (R.NETWORK, r"tim(?:ed|e) ?out|connect\w* ~ (?:refused|reset|lost|closed|fail|drop|broken|abort)"),
    (R.NETWORK, r"(?:unable|could ?n.t|could not|cannot|can't|fail\w*) (?:to )?(?:open |establish |an |smtp )*connect"),
    (R.NETWORK, r"(?:no route|not reachable|unreachable|socket|network)\b|(?:mail|routing|forwarding)? ?loop"),
    (R.NETWORK, r"too many hops|hop count|loops? back|points to (?:local|itself|me)|broken pipe|end of file|eof\b"),
    (R.NETWORK, r"no (?:response|answer|reply)|not respond\w*|name ?(?:service|server) (?:error|fail)"),
    (R.NETWORK, r"dns ~ (?:error|fail)|servfail|(?:host|mx|dns|name) lookup|ldap|databa?se|i/o error"),
    (R.NETWORK, r"tls (?:handshake|negotiat)|sslhandshake"),
    (R.NETWORK, r"(?:server|service|system|host|mta|resources?)\b ~ (?:busy|down|unavailable|not available|error)"),
    (R.NETWORK, r"(?:server|service|system|host|mta)\b ~ (?:overload|shutting|offline|maintenance|problem|fail)"),
    (R.NETWORK, r"resources?\b ~ (?:overload|shutting|offline|maintenance|problem|fail)"),
    (R.NETWORK, r"service refuse"),
    (R.NETWORK, r"(?:local|internal|system|server|processing|configuration)(?: \w+)? (?:error|problem|failure|fault)"),
    (R.NETWORK, r"(?:queue|protocol|unexpected|unknown mail(?:er)?)(?: \w+)? (?:error|problem|failure|fault)"),
    (R.NETWORK, r"(?:delivery|message) (?:time )?expired|too long in|in (?:the )?queue"),
)
"""Read in order; the first that is found decides."""

# Words that say little: only when no enhanced code says more.
LOOSE_TEXTS: tuple[tuple[Reason, str], ...] = (
    (R.BLOCKED, r"(?:deferred|delayed) ~ (?:complaint|volume)|permanently deferred"),
    (R.RATE_LIMITED, r"temporarily deferred|message deferred"),
    (R.NETWORK, r"temporar\w+|try (?:again|it|later)|(?:later|after) retry|busy|unavailable|not available|deferred"),
    (R.NETWORK, r"delay(?:ed)?\b|after \d+ (?:hour|day)|syntax error|bad sequence|not implemented"),
    (R.NETWORK, r"unrecogni[sz]ed command|need (?:rcpt|mail|recipient)|mailer"),
    (R.POLICY, r"(?:message|mail|e ?mail|delivery)\b ~ (?:reject|refus|not accept|den|declin|disallow|rejet)"),
    (R.POLICY, r"(?:transaction|connection|access|service|request|content)\b ~ (?:reject|refus|not accept|den|declin)"),
    (R.POLICY, r"(?:transaction|connection|access|service|request|content)\b ~ (?:disallow|rejet)"),
    (R.POLICY, r"not (?:allowed|permitted|acceptable)|rejected|refused|denied|declined|rejet"),
)
