"""The vocabulary of mail servers' replies, by meaning; `bounce_table` makes its rows of it.

Plain words, as `bounces._plain` leaves them; English first, then one line a language: those in which large providers
answer. What stands here is a word of a standard, of a server's source or of a provider's page, or its translation.
"""

from __future__ import annotations

# Who was written to; ADDR is the word that stands for every address.
ADDR = r"addr"
WHO = (
    r"(?:users?|userid|recipients?|rcpt|mail ?box(?:es)?|mail ?drop|accounts?|address(?:es)?|addressee|alias(?:es)?|"
    r"inbox|customer|subscriber|person|member|employee|local ?part|local name|e ?mail ?account|destination|"
    r"destinataires?|utilisateurs?|adresses?|comptes?|boites?|correspondant|abonne|"
    r"benutzer\w*|empfanger\w*|adressat|postfach\w*|konto|"
    r"usuari[oa]s?|destinatari[oa]s?|cuenta|casilla|buzon|direccion|"
    r"utente|utenza|destin|casella|indirizzo|"
    r"utilizador|conta|caixa|endereco|"
    r"gebruiker|ontvanger|adres|postbus|"
    r"uzytkownik\w*|odbiorc\w+|kont[oa]|skrzynk\w+|"
    r"пользовател\w+|получател\w+|адресат\w*|адрес\w*|ящик\w*)(?:'s)?"
)
# "No such user": what stands before somebody who does not exist; "user unknown": what is said of them.
NO_SUCH = (
    r"(?:unknown|invalid|no such|non ?exist\w*|non existent|illegal|incorrect|undeliverable|unrecogni[sz]ed|"
    r"unresolvable|bad|wrong|no valid|not a valid|not our|ambiguous|"
    r"aucune?|unbekannte\w*|ungultige\w*|keine?|ningun|nessuna?|nie ma takiego)"
)
UNKNOWN = (
    r"(?:unknown|not ?found|invalid|non ?exist\w*|non existent|no longer exists?|isn't here|not here|not ok\b|"
    r"(?:does |do |is )?(?:no|not|\w+n't) (?:be )?(?:exist|listed|defined|identified|local|recogni[sz]ed)\w*|"
    r"(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?(?:known|found|exist|valid|verified)|"
    r"(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?(?:recogni[sz]ed|listed|local|defined)|"
    r"(?:not|\w+n't|never|cannot|can not) (?:be )?(?:a |an |in )?(?:\w+ )?identified|"
    r"does exist|not a member|not unique|lookup ~ fail\w*|"
    r"inconnue?s?|n'existe|n'est pas (?:connu|valide)|invalides?|introuvables?|inexistant\w*|incorrecte?s?|erronee?s?|"
    r"unbekannt|existiert nicht|ungultig|nicht (?:bekannt|gefunden|vorhanden)|"
    r"no existe|no encontrad\w|desconocid\w|inexistente|invalid[ao]|"
    r"inesistente|sconosciut\w|errat\w|non (?:esiste|trovat\w|valid\w)|"
    r"desconhecid\w|nao (?:existe|encontrad\w)|"
    r"onbekend|bestaat niet|"
    r"nie istnieje|nieznan\w+|"
    r"не существует|не найден\w*|неизвест\w+)"
)
# What is said of somebody who was there, or is there and gets no mail.
DISABLED = (
    r"(?:disabled?|deactivated|inactiv(?:e|ated)|suspended|locked|closed|expired|terminated|discontinued|retired|frozen|"
    r"on hold|hang ?up|deleted|removed|cancell?ed|(?:has )?moved|migrated|not (?:currently |yet )?activ\w+|not enabled|"
    r"not used|no longer has\b|no longer (?:active|in use|used|available|valid|accept\w*|with|work\w*|recei\w+|on|at)|"
    r"desactivee?s?|suspendue?s?|bloquee?s?|fermee?s?|resiliee?s?|cloturee?s?|supprimee?s?|archivee?s?|expiree?s?|"
    r"gesperrt|deaktiviert|inaktiv|geloscht|abgelaufen|"
    r"inactiv[ao]|desactivad[ao]|deshabilitad[ao]|suspendid[ao]|bloquead[ao]|expirad[ao]|cancelad[ao]|"
    r"disabilitat[ao]|disatt?tivat[ao]|disatttivat[ao]|bloccat[ao]|sospes[ao]|scadut[ao]|"
    r"inativ[ao]|desativad[ao]|suspens[ao]|"
    r"geblokkeerd|"
    r"zablokowan\w+|nieaktywn\w+|"
    r"заблокирован\w*|отключен\w*|неактивен)"
)
FULL = (
    r"(?:full|exceed\w*|exeed\w*|overflow\w*|over (?:its|the|his|their|size)|"
    r"pleine?s?|saturee?s?|voll|llen[oa]|pien[oa]|chei[oa]|lotad[ao]|vol|pelna|przepelnion\w+|переполнен\w*)\b"
)

# Who sends, and what a server does with them.
OUR = r"(?:your|sending|sender'?s?|client|remote|connecting|source|originating)"
SENDER = r"(?:senders?|expediteur|absender|remitente|mittente|remetente|afzender|nadawc\w+|отправител\w+)"
# Up to five words that don't turn to the recipient: "sender ok, recipient unknown" blames nobody who sends.
NOT_THE_RECIPIENT = r"(?: (?!recipients?\b|rcpt\b|users?\b|destinat)\S{1,40}){0,5}? "
IP = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
REFUSED = (
    r"(?:block|black|ban|den(?:y|ied|ies)|reject|refus|forbid|prohibit|listed|"
    r"not (?:(?:yet|currently) )?(?:allow|accept|permit|authori[sz])|"
    r"bloqu|rejet|interdit|abgelehnt|gesperrt|rechazad|bloccat|rifiutat|rejeitad|geweigerd|odrzucon|отклонен|заблокирован)\w*"
)
LISTS = (
    r"(?:\w*(?:rbl|dnsbl|spamhaus|spamcop|sorbs|barracudacentral|uceprotect|mailspike|invaluement|ivmsip|abusix|sbrs|xbl|pbl)s?\b|"
    r"(?:black|block|deny|reject|ban|white) ?(?:list\w*|hole)|(?:sperr|schwarze )liste|liste noire|lista n(?:egra|era))"
)

# Where mail goes to, and what can be wrong with a mail.
DOMAIN = r"(?:hosts?|domains?|domaine|tenant)(?: ?names?)?\b(?: or domain name)?"
BROKEN = r"(?:missing|invalid|malformed|duplicate|multiple|bad|illegal|improper|no)"

UNWANTED = r"(?:indesirables?|unerwunscht\w*|no deseado|indesiderat[ao]|indesejad[ao]|niechcian\w+|спам\w*)\b"

# Chinese and Japanese put no spaces between words: what stands before is part of the word.
HAN = r"\w{0,60}?"
HAN_WHO = (
    r"(?:用户|用戶|收件人|收件者|邮箱|郵箱|信箱|账号|帐号|帳號|地址|使用者|"
    r"ユーザー?|宛先|受信者|アドレス|アカウント|メールボックス)"
)
HAN_UNKNOWN = r"(?:不存在|未开通|无效|無效|未找到|找不到|存在しま?せ?ん?|見つかりません|不明|有効ではありません)"
HAN_DISABLED = r"(?:已?停用|已?禁用|被?冻结|被?凍結|已?注销|停止|無効|休止|利用できません)"
HAN_FULL = (
    r"(?:已满|已滿|空间不足|空間不足|容量不足|超出\w{0,4}(?:容量|配额)|いっぱい|満杯|"
    r"容量\w{0,3}(?:超|オーバー|不足))"
)
HAN_SENDER = r"(?:发件人|發件人|寄件者|发信人|差出人|送信者|送信元|発信元)"
