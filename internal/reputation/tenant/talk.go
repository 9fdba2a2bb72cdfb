package tenant

// pastes hold text of anybody (T1102.001).
func pastes() []row {
	const raw = "/raw/* /*"
	return []row{
		{suffix: "pastebin.com", service: "pastebin", take: exact, paths: "/raw/* /dl/* /raw.php?i /u/* /api /*", cased: true}, // Pastebin; API posts carry the key in the body
		{suffix: "paste.ee", service: "paste-ee", take: exact, paths: "/r/* /d/* /p/* /*", cased: true},
		{suffix: "hastebin.com", service: "hastebin", take: exact, paths: "/raw/* /share/* /documents /*", cased: true},
		{suffix: "rentry.co", service: "rentry", take: exact, paths: "/api /raw/* /*"},
		{suffix: "rentry.org", service: "rentry", take: exact, paths: "/api /raw/* /*"},
		{suffix: "ghostbin.com", service: "ghostbin", take: exact, paths: "/paste/* /*", cased: true},
		{suffix: "ghostbin.me", service: "ghostbin", take: exact, paths: "/paste/* /*", cased: true},
		{suffix: "controlc.com", service: "controlc", take: exact, paths: "/*", cased: true},
		{suffix: "dpaste.com", service: "dpaste", take: exact, paths: "/api /*", cased: true},
		{suffix: "dpaste.org", service: "dpaste-org", take: exact, paths: "/api /*", cased: true},
		{suffix: "ix.io", service: "ix", take: exact, paths: "/*", cased: true},
		{suffix: "sprunge.us", service: "sprunge", take: exact, paths: "/*", cased: true},
		{suffix: "termbin.com", service: "termbin", take: exact, paths: "/*", cased: true},
		{suffix: "justpaste.it", service: "justpaste", take: exact, paths: "/*", cased: true},
		{suffix: "pastebin.pl", service: "pastebin-pl", take: exact, paths: "/view/raw/* /view/* /*", cased: true},
		{suffix: "textbin.net", service: "textbin", take: exact, paths: raw, cased: true},
		{suffix: "paste.rs", service: "paste-rs", take: exact, paths: "/*", cased: true},
		{suffix: "paste.debian.net", service: "paste-debian", take: exact, paths: "/plain/* /plainh/* /*"},
		{suffix: "bpa.st", service: "bpaste", take: exact, paths: raw, cased: true},
		{suffix: "privatebin.net", service: "privatebin", take: exact, paths: "/"}, // the paste is in the query, its key in the fragment
		{suffix: "jsonbin.io", service: "jsonbin", take: within, paths: "/_/b/*"},
		{suffix: "jsonblob.com", service: "jsonblob", take: exact, paths: "/"}, // the identifier also writes: a secret
		{suffix: "api.npoint.io", service: "npoint", take: exact, paths: "/*"}, // JSON bins
		{suffix: "kvdb.io", service: "kvdb", take: exact, paths: "/"},          // the bucket name also writes: a secret
		{suffix: "ntfy.sh", service: "ntfy", take: within, paths: "/"},         // the topic is the password (ntfy documentation): a secret
	}
}

// files are hosts of anybody's files (T1567.002).
func files() []row {
	const dropbox = "/s/* /scl/fi/* /scl/fo/* /sh/* /t/*"
	return []row{
		{suffix: "dropbox.com", service: "dropbox", take: within, paths: dropbox, cased: true},                                                              // shared links
		{suffix: "dropboxusercontent.com", service: "dropbox", take: within, paths: dropbox, cased: true},                                                   // dl.; names of uc*.dl. are sessions
		{suffix: "dropboxapi.com", service: "dropbox", take: within, paths: "/"},                                                                            // the account is in the token; C2: T1102.002
		{suffix: "box.com", service: "box", take: last, labels: "www api upload account app m public dl", paths: "/s/* /v/* /shared/static/*", cased: true}, // CUSTOMER.box.com
		{suffix: "app.box.com", service: "box", take: last, paths: "/s/* /v/* /shared/static/*", cased: true},                                               // CUSTOMER.app.box.com
		{suffix: "boxcloud.com", service: "box", take: within, paths: "/"},                                                                                  // downloads, signed
		{suffix: "mediafire.com", service: "mediafire", take: within, paths: "/file/* /folder/* /view/*"},
		{suffix: "mega.nz", service: "mega", take: within, paths: "/file/* /folder/* /embed/*", cased: true}, // the key is in the fragment
		{suffix: "mega.co.nz", service: "mega", take: within, paths: "/"},                                    // its storage nodes
		{suffix: "gofile.io", service: "gofile", take: within, paths: "/d/* /download/web/* /download/*"},
		{suffix: "pixeldrain.com", service: "pixeldrain", take: exact, paths: "/u/* /l/* /api/file/*", cased: true},
		{suffix: "files.catbox.moe", service: "catbox", take: exact, paths: "/*"},
		{suffix: "litter.catbox.moe", service: "catbox", take: exact, paths: "/*"},
		{suffix: "transfer.sh", service: "transfer-sh", take: exact, paths: "/get/* /*", cased: true},
		{suffix: "0x0.st", service: "0x0", take: exact, paths: "/*", cased: true},
		{suffix: "file.io", service: "file-io", take: exact, paths: "/*", cased: true},
		{suffix: "we.tl", service: "wetransfer", take: exact, paths: "/*", cased: true},
		{suffix: "wetransfer.com", service: "wetransfer", take: exact, paths: "/downloads/*"},
		{suffix: "filebin.net", service: "filebin", take: exact, paths: "/*"},
		{suffix: "tmpfiles.org", service: "tmpfiles", take: exact, paths: "/dl/# /#"},
		{suffix: "disk.yandex.ru", service: "yandex-disk", take: exact, paths: "/d/* /i/*", cased: true},
		{suffix: "yadi.sk", service: "yandex-disk", take: exact, paths: "/d/* /i/*", cased: true},
		{suffix: "cloud-api.yandex.net", service: "yandex-disk", take: exact, paths: "/"}, // the account is in the token
		{suffix: "cloud.mail.ru", service: "mailru-cloud", take: exact, paths: "/public/*/*", cased: true},
		{suffix: "pan.baidu.com", service: "baidu-pan", take: exact, paths: "/s/*", cased: true},
		{suffix: "archive.org", service: "archive", take: within, paths: "/download/* /details/*"}, // anybody uploads items; loaders hid in images
		{suffix: "imgur.com", service: "imgur", take: within, paths: "/a/* /gallery/* /*", cased: true},
		{suffix: "i.ibb.co", service: "imgbb", take: exact, paths: "/*", cased: true},
	}
}

// chats are chat, mail and form services with APIs that anybody drives (T1102.002, T1567.004). Where the tenant stands only in a
// header or in a secret, the service alone is told.
func chats() []row {
	const discord = "/api/webhooks/# /api/_/webhooks/# /api/channels/# /api/_/channels/# /attachments/# /ephemeral-attachments/# /channels/#"
	return []row{
		{suffix: "api.telegram.org", service: "telegram", take: exact, paths: "/bot# /file/bot#"},                                     // Bot API: /botID:SECRET/method
		{suffix: "t.me", service: "telegram-channel", take: exact, paths: "/joinchat /proxy /socks /share /addstickers /c/# /s/* /*"}, // channels as dead drops; invitations are secrets
		{suffix: "discord.com", service: "discord", take: within, paths: discord},                                                     // web hooks: /api/webhooks/ID/SECRET
		{suffix: "discordapp.com", service: "discord", take: within, paths: discord},                                                  // cdn.: /attachments/CHANNEL/
		{suffix: "discordapp.net", service: "discord", take: within, paths: discord},                                                  // media.
		{suffix: "hooks.slack.com", service: "slack", take: exact, paths: "/services/*/* /workflows/* /triggers/*", cased: true},      // /services/TEAM/BOT/SECRET
		{suffix: "slack.com", service: "slack", take: exact, paths: "/api"},                                                           // Web API: the team is in the token
		{suffix: "files.slack.com", service: "slack", take: exact, paths: "/"},                                                        // TEAM-FILE-SECRET
		{suffix: "hooks.zapier.com", service: "zapier", take: exact, paths: "/hooks/catch/#"},                                         // account; the hook behind it is a secret
		{suffix: "hook.eu1.make.com", service: "make", take: exact, paths: "/"},                                                       // the identifier is the secret
		{suffix: "hook.eu2.make.com", service: "make", take: exact, paths: "/"},                                                       // as above
		{suffix: "hook.us2.make.com", service: "make", take: exact, paths: "/"},                                                       // as above
		{suffix: "hook.us1.make.com", service: "make", take: exact, paths: "/"},                                                       // as above
		{suffix: "maker.ifttt.com", service: "ifttt", take: exact, paths: "/"},                                                        // /trigger/EVENT/with/key/SECRET
		{suffix: "api.pushover.net", service: "pushover", take: exact, paths: "/"},                                                    // in the body
		{suffix: "api.pushbullet.com", service: "pushbullet", take: exact, paths: "/"},                                                // in a header
		{suffix: "api.mailgun.net", service: "mailgun", take: exact, paths: "/_/."},                                                   // /v3/DOMAIN/messages
		{suffix: "api.eu.mailgun.net", service: "mailgun", take: exact, paths: "/_/."},                                                // as above
		{suffix: "api.sendgrid.com", service: "sendgrid", take: exact, paths: "/"},                                                    // in a header
		{suffix: "sendgrid.net", service: "sendgrid", take: first},                                                                    // link domains: uNUMBER.ct.sendgrid.net
		{suffix: "api.postmarkapp.com", service: "postmark", take: exact, paths: "/"},                                                 // in a header
		{suffix: "api.brevo.com", service: "brevo", take: exact, paths: "/"},                                                          // in a header
		{suffix: "api.sparkpost.com", service: "sparkpost", take: exact, paths: "/"},                                                  // in a header
		{suffix: "mandrillapp.com", service: "mandrill", take: exact, paths: "/"},                                                     // in the body
		{suffix: "api.mailjet.com", service: "mailjet", take: exact, paths: "/"},                                                      // in a header
		{suffix: "api.resend.com", service: "resend", take: exact, paths: "/"},                                                        // in a header
		{suffix: "api.emailjs.com", service: "emailjs", take: exact, paths: "/"},                                                      // in the body; phishing kits
		{suffix: "formspree.io", service: "formspree", take: exact, paths: "/f/*"},                                                    // phishing kits
		{suffix: "formsubmit.co", service: "formsubmit", take: exact, paths: "/ajax/* /*"},                                            // address or alias
		{suffix: "submit-form.com", service: "formspark", take: exact, paths: "/*", cased: true},
		{suffix: "typeform.com", service: "typeform", take: last, labels: "www api form embed admin", paths: "/to/*", cased: true},
		{suffix: "jotform.com", service: "jotform", take: within, paths: "/#"},
		{suffix: "api.twilio.com", service: "twilio", take: exact, paths: "/_/accounts/*"}, // account identifier, not the token
	}
}

// bases are databases and boards that were seen as C2 channels (T1102.002).
func bases() []row {
	return []row{
		{suffix: "supabase.co", service: "supabase", take: last},                                                                        // PROJECT, db.PROJECT; PSL
		{suffix: "storage.supabase.co", service: "supabase", take: last},                                                                // PROJECT.storage; PSL
		{suffix: "realtime.supabase.co", service: "supabase", take: last},                                                               // PROJECT.realtime; PSL
		{suffix: "functions.supabase.co", service: "supabase", take: last},                                                              // PROJECT.functions
		{suffix: "hasura.app", service: "hasura", take: last},                                                                           // PSL
		{suffix: "restdb.io", service: "restdb", take: last},                                                                            // database
		{suffix: "upstash.io", service: "upstash", take: first},                                                                         // database
		{suffix: "mongodb.net", service: "atlas", take: last},                                                                           // CLUSTER.ID.mongodb.net
		{suffix: "api.airtable.com", service: "airtable", take: exact, paths: "/v0/meta/bases/* /v0/meta /_/bases/* /_/*", cased: true}, // Web API: /v0/BASE/TABLE
		{suffix: "content.airtable.com", service: "airtable", take: exact, paths: "/_/*", cased: true},                                  // uploads
		{suffix: "airtable.com", service: "airtable", take: exact, paths: "/*", cased: true},                                            // bases and shares
		{suffix: "api.trello.com", service: "trello", take: exact, paths: "/_/boards/* /_/cards/* /_/lists/*", cased: true},             // REST; C2: T1102.002
		{suffix: "trello.com", service: "trello", take: exact, paths: "/b/* /c/* /_/boards/* /_/cards/* /_/lists/*", cased: true},       // boards
		{suffix: "api.notion.com", service: "notion-api", take: exact, paths: "/_/pages/* /_/databases/* /_/blocks/*"},                  // API; C2: OffensiveNotion
		{suffix: "notion.so", service: "notion", take: exact, paths: "/*"},                                                              // workspace
		{suffix: "www.notion.so", service: "notion", take: exact, paths: "/*"},                                                          // as above
		{suffix: "api.dropboxapi.com", service: "dropbox", take: exact, paths: "/"},                                                     // in the token
		{suffix: "app.asana.com", service: "asana", take: exact, paths: "/api/_/projects/# /api/_/tasks/# /api /_/#"},                   // C2: T1102.002
		{suffix: "api.etherscan.io", service: "etherscan", take: exact, paths: "/_?address"},                                            // contracts as dead drops (EtherHiding)
	}
}
