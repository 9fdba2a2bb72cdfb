package tenant

// compute are functions, containers and sandboxes.
func compute() []row {
	return []row{
		{suffix: "workers.dev", service: "workers", take: last},                                      // Cloudflare: WORKER.ACCOUNT.workers.dev; PSL
		{suffix: "deno.dev", service: "deno", take: last, after: "--"},                               // Deno Deploy; PSL
		{suffix: "deno.net", service: "deno", take: all},                                             // Deno Deploy, newer; PSL
		{suffix: "val.run", service: "val-town", take: first},                                        // Val Town: USER-VAL.web
		{suffix: "herokuapp.com", service: "heroku", take: last},                                     // PSL
		{suffix: "onrender.com", service: "render", take: last},                                      // PSL
		{suffix: "fly.dev", service: "fly", take: last},                                              // PSL
		{suffix: "up.railway.app", service: "railway", take: last},                                   // Railway: SERVICE-ENV.up; PSL
		{suffix: "ondigitalocean.app", service: "do-apps", take: first},                              // App Platform; PSL
		{suffix: "replit.app", service: "replit", take: last},                                        // PSL
		{suffix: "replit.dev", service: "replit", take: first},                                       // UUID.CLUSTER.replit.dev; PSL
		{suffix: "repl.co", service: "replit", take: last},                                           // PROJECT.USER.repl.co; PSL
		{suffix: "glitch.me", service: "glitch", take: last},                                         // PSL
		{suffix: "csb.app", service: "codesandbox", take: last},                                      // CodeSandbox previews
		{suffix: "webcontainer.io", service: "stackblitz", take: first},                              // StackBlitz previews; PSL
		{suffix: "gitpod.io", service: "gitpod", take: first},                                        // PORT-WORKSPACE.CLUSTER
		{suffix: "app.github.dev", service: "codespaces", take: last},                                // forwarded ports of Codespaces; PSL
		{suffix: "streamlit.app", service: "streamlit", take: last},                                  // PSL
		{suffix: "hf.space", service: "huggingface", take: last},                                     // Spaces; PSL
		{suffix: "gradio.live", service: "gradio", take: last},                                       // tunnels of Gradio
		{suffix: "fcapp.run", service: "aliyun-fc", take: first},                                     // Alibaba Function Compute: NAME-HASH.REGION
		{suffix: "apigw.tencentcs.com", service: "tencent-scf", take: first},                         // Tencent API gateway before functions: C2 redirectors
		{suffix: "tencentscf.com", service: "tencent-scf", take: first},                              // Tencent function URLs
		{suffix: "functions.yandexcloud.net", service: "yandex-functions", take: exact, paths: "/*"}, // Yandex Cloud Functions
		{suffix: "apigw.yandexcloud.net", service: "yandex-apigw", take: first},                      // Yandex API gateway: ID.HASH.apigw
		{suffix: "code.run", service: "northflank", take: first},                                     // PSL
		{suffix: "koyeb.app", service: "koyeb", take: last},                                          // PSL
	}
}

// pages are hosts of web sites.
func pages() []row {
	return []row{
		{suffix: "pages.dev", service: "cf-pages", take: last},                                                                              // Cloudflare Pages: BRANCH.PROJECT; PSL
		{suffix: "vercel.app", service: "vercel", take: last},                                                                               // PSL
		{suffix: "now.sh", service: "vercel", take: last},                                                                                   // Vercel, older; PSL
		{suffix: "netlify.app", service: "netlify", take: last, after: "--"},                                                                // DEPLOY--SITE; PSL
		{suffix: "github.io", service: "github-pages", take: last},                                                                          // PSL
		{suffix: "gitlab.io", service: "gitlab-pages", take: last},                                                                          // PSL
		{suffix: "bitbucket.io", service: "bitbucket-pages", take: last},                                                                    // PSL
		{suffix: "codeberg.page", service: "codeberg-pages", take: last},                                                                    // PSL
		{suffix: "sourceforge.io", service: "sourceforge", take: last},                                                                      // project pages
		{suffix: "surge.sh", service: "surge", take: last},                                                                                  // PSL
		{suffix: "notion.site", service: "notion", take: last},                                                                              // PSL
		{suffix: "blogspot.com", service: "blogger", take: last},                                                                            // PSL
		{suffix: "wordpress.com", service: "wordpress", take: last, labels: "www public-api en s0 s1 s2 r-login widgets stats", paths: "/"}, // USER.wordpress.com
		{suffix: "tumblr.com", service: "tumblr", take: last, labels: "www api assets 64 static", paths: "/blog/view/* /blog/* /_"},         // USER.tumblr.com
		{suffix: "weebly.com", service: "weebly", take: last, labels: "www", paths: "/"},                                                    // PSL
		{suffix: "weeblysite.com", service: "weebly", take: last},                                                                           // PSL
		{suffix: "wixsite.com", service: "wix", take: last},                                                                                 // PSL
		{suffix: "webflow.io", service: "webflow", take: last},                                                                              // PSL
		{suffix: "framer.app", service: "framer", take: last},                                                                               // PSL
		{suffix: "framer.website", service: "framer", take: last},                                                                           // PSL
		{suffix: "carrd.co", service: "carrd", take: last},                                                                                  // PSL
		{suffix: "square.site", service: "square", take: last},                                                                              // PSL
		{suffix: "godaddysites.com", service: "godaddy", take: last},                                                                        // Websites + Marketing; phishing lists are full of it
		{suffix: "000webhostapp.com", service: "000webhost", take: last},                                                                    // closed 2024; PSL
		{suffix: "yolasite.com", service: "yola", take: last},                                                                               // PSL
		{suffix: "jimdosite.com", service: "jimdo", take: last},                                                                             // Jimdo
		{suffix: "jimdofree.com", service: "jimdo", take: last},                                                                             // Jimdo
		{suffix: "strikingly.com", service: "strikingly", take: last, labels: "www", paths: "/"},                                            // USER.strikingly.com
		{suffix: "my.canva.site", service: "canva", take: exact, paths: "/*"},                                                               // Canva sites: my.canva.site/NAME; NAME.my.canva.site by the row below
		{suffix: "canva.site", service: "canva", take: last},                                                                                // NAME.canva.site
		{suffix: "gitbook.io", service: "gitbook", take: last},                                                                              // PSL
		{suffix: "myshopify.com", service: "shopify", take: last},                                                                           // PSL
		{suffix: "telegra.ph", service: "telegraph", take: exact, paths: "/*"},                                                              // dead drops: T1102.001
		{suffix: "steamcommunity.com", service: "steam", take: exact, paths: "/profiles/# /id/*"},                                           // dead drops in profile names: T1102.001 (Vidar, Lumma)
		{suffix: "mastodon.social", service: "mastodon", take: exact, paths: "/@"},                                                          // dead drops (Vidar)
	}
}

// delivery are networks that serve what customers put there.
func delivery() []row {
	return []row{
		{suffix: "global.ssl.fastly.net", service: "fastly", take: last},                                         // Fastly, shared TLS; PSL
		{suffix: "freetls.fastly.net", service: "fastly", take: last},                                            // PSL
		{suffix: "map.fastly.net", service: "fastly", take: last},                                                // PSL
		{suffix: "edgecompute.app", service: "fastly-compute", take: last},                                       // Fastly Compute; PSL
		{suffix: "b-cdn.net", service: "bunny", take: last},                                                      // bunny.net pull zones
		{suffix: "kxcdn.com", service: "keycdn", take: last},                                                     // ZONE-HASH.kxcdn.com
		{suffix: "cdn77.org", service: "cdn77", take: first},                                                     // ID.rsc.cdn77.org
		{suffix: "akamaized.net", service: "akamai", take: all},                                                  // edge host names of customers; PSL
		{suffix: "akamaihd.net", service: "akamai", take: all},                                                   // PSL
		{suffix: "edgekey.net", service: "akamai", take: all},                                                    // www.example.com.edgekey.net; PSL
		{suffix: "edgesuite.net", service: "akamai", take: all},                                                  // PSL
		{suffix: "cdn.jsdelivr.net", service: "jsdelivr", take: exact, paths: "/gh/*/*@ /npm/@*/*@ /npm/*@ /wp"}, // files of anybody's repository or package
		{suffix: "unpkg.com", service: "unpkg", take: exact, paths: "/@*/*@ /*@"},                                // packages of npm
		{suffix: "raw.githack.com", service: "github", take: exact, paths: "/*/*"},                               // files of anybody's repository
		{suffix: "rawcdn.githack.com", service: "github", take: exact, paths: "/*/*"},                            // as above
		{suffix: "cdn.statically.io", service: "github", take: exact, paths: "/gh/*/*@"},                         // as above
	}
}

// tunnels lead to machines at anybody's desk (T1572).
func tunnels() []row {
	return []row{
		{suffix: "trycloudflare.com", service: "trycloudflare", take: last},        // Cloudflare quick tunnels; PSL
		{suffix: "cfargotunnel.com", service: "cloudflared", take: last},           // named tunnels: UUID.cfargotunnel.com
		{suffix: "ngrok.io", service: "ngrok", take: all},                          // NAME, NAME.REGION; PSL
		{suffix: "ngrok.app", service: "ngrok", take: all},                         // PSL
		{suffix: "ngrok.dev", service: "ngrok", take: all},                         // PSL
		{suffix: "ngrok-free.app", service: "ngrok", take: all},                    // PSL
		{suffix: "ngrok-free.dev", service: "ngrok", take: all},                    // PSL
		{suffix: "ngrok.pizza", service: "ngrok", take: all},                       // PSL
		{suffix: "loca.lt", service: "localtunnel", take: last},                    // localtunnel
		{suffix: "localtunnel.me", service: "localtunnel", take: last},             // older
		{suffix: "lhr.life", service: "localhost-run", take: last},                 // localhost.run
		{suffix: "serveo.net", service: "serveo", take: last},                      // serveo
		{suffix: "pagekite.me", service: "pagekite", take: last},                   // PSL
		{suffix: "pinggy.link", service: "pinggy", take: first},                    // NAME.a.free
		{suffix: "share.zrok.io", service: "zrok", take: last},                     // zrok
		{suffix: "ts.net", service: "tailscale", take: last},                       // Funnel: MACHINE.TAILNET.ts.net; PSL
		{suffix: "oast.fun", service: "interactsh", take: last},                    // interactsh, out-of-band checks
		{suffix: "oast.pro", service: "interactsh", take: last},                    // as above
		{suffix: "oast.live", service: "interactsh", take: last},                   // as above
		{suffix: "oast.site", service: "interactsh", take: last},                   // as above
		{suffix: "oast.online", service: "interactsh", take: last},                 // as above
		{suffix: "oast.me", service: "interactsh", take: last},                     // as above
		{suffix: "oastify.com", service: "collaborator", take: last},               // Burp Collaborator
		{suffix: "burpcollaborator.net", service: "collaborator", take: last},      // older
		{suffix: "pipedream.net", service: "pipedream", take: first},               // ID.m.pipedream.net, ID.x.pipedream.net
		{suffix: "webhook.site", service: "webhook-site", take: exact, paths: "/"}, // the identifier also reads: a secret
	}
}

// code are forges: whose repository it is, whichever name serves it.
func code() []row {
	return []row{
		{suffix: "github.com", service: "github", take: exact, paths: "/*/*"},                                      // repositories and releases
		{suffix: "codeload.github.com", service: "github", take: exact, paths: "/*/*"},                             // archives
		{suffix: "api.github.com", service: "github", take: exact, paths: "/repos/*/* /gists /users"},              // REST; C2 in issues and gists: T1102
		{suffix: "uploads.github.com", service: "github", take: exact, paths: "/repos/*/*"},                        // release uploads
		{suffix: "raw.githubusercontent.com", service: "github", take: exact, paths: "/*/*"},                       // files; PSL
		{suffix: "media.githubusercontent.com", service: "github", take: exact, paths: "/media/*/*"},               // large files
		{suffix: "gist.github.com", service: "gist", take: exact, paths: "/*"},                                     // user; anonymous gists by identifier
		{suffix: "gist.githubusercontent.com", service: "gist", take: exact, paths: "/*"},                          // user
		{suffix: "githubusercontent.com", service: "github-usercontent", take: within, paths: "/_/#"},              // release assets: /KIND/REPOSITORY/; PSL
		{suffix: "gitlab.com", service: "gitlab", take: exact, paths: "/api/_/projects/* /api /-/snippets/# /*/*"}, // groups may nest: the first two name the project
		{suffix: "bitbucket.org", service: "bitbucket", take: exact, paths: "/*/*"},                                // workspace and repository
		{suffix: "api.bitbucket.org", service: "bitbucket", take: exact, paths: "/_/repositories/*/*"},
		{suffix: "codeberg.org", service: "codeberg", take: exact, paths: "/api/_/repos/*/* /api /*/*"}, // Forgejo
		{suffix: "gitee.com", service: "gitee", take: exact, paths: "/api/_/repos/*/* /api /*/*"},       // Gitee
		{suffix: "git.sr.ht", service: "sourcehut", take: exact, paths: "/*/*"},                         // ~USER/REPOSITORY
		{suffix: "sourceforge.net", service: "sourceforge", take: exact, paths: "/projects/* /p/* /project/*"},
		{suffix: "downloads.sourceforge.net", service: "sourceforge", take: exact, paths: "/project/* /*"},
		{suffix: "dl.sourceforge.net", service: "sourceforge", take: within, paths: "/project/*"},                                                // mirrors
		{suffix: "huggingface.co", service: "huggingface", take: exact, paths: "/api/_/*/* /datasets/*/* /spaces/*/* /*/*"},                      // models, data sets, spaces
		{suffix: "dev.azure.com", service: "azure-devops", take: exact, paths: "/*"},                                                             // organisation
		{suffix: "visualstudio.com", service: "azure-devops", take: last, labels: "www marketplace code app online update az764295", paths: "/"}, // ORGANISATION.visualstudio.com
	}
}
