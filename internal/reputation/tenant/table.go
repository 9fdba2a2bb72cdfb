package tenant

// The table is written from the vendors' documents on the form of their URLs; the comment of each row says which, or where its
// abuse was described. PSL: the suffix is in the private section of the Public Suffix List too, and the row says more than that.

// stores are object stores.
func stores() []row {
	return []row{
		{suffix: "r2.cloudflarestorage.com", service: "r2", take: last},                                                                                        // Cloudflare R2, S3 API: ACCOUNT.r2, BUCKET.ACCOUNT.r2
		{suffix: "eu.r2.cloudflarestorage.com", service: "r2", take: last},                                                                                     // R2, jurisdictions
		{suffix: "fedramp.r2.cloudflarestorage.com", service: "r2", take: last},                                                                                // R2, jurisdictions
		{suffix: "r2.dev", service: "r2-public", take: last},                                                                                                   // R2, public buckets: pub-HASH.r2.dev; PSL
		{suffix: "backblazeb2.com", service: "b2", take: marked, marks: "s3=/* f000=/file/* f001=/file/* f002=/file/* f003=/file/* f004=/file/* f005=/file/*"}, // Backblaze B2: S3 API, native download URLs
		{suffix: "wasabisys.com", service: "wasabi", take: marked, marks: "s3=/*"},                                                                             // Wasabi service URLs: s3.wasabisys.com, s3.REGION.wasabisys.com
		{suffix: "digitaloceanspaces.com", service: "do-spaces", take: region, paths: "/*", zoned: true},                                                       // DigitalOcean Spaces: BUCKET.REGION, BUCKET.REGION.cdn; PSL
		{suffix: "linodeobjects.com", service: "linode", take: region, paths: "/*", zoned: true},                                                               // Akamai (Linode) object storage; PSL
		{suffix: "vultrobjects.com", service: "vultr", take: region, paths: "/*", zoned: true},                                                                 // Vultr object storage; PSL
		{suffix: "bcebos.com", service: "baidu-bos", take: region, paths: "/*", zoned: true},                                                                   // Baidu BOS: BUCKET.REGION.bcebos.com
		{suffix: "aliyuncs.com", service: "oss", take: marked, marks: "oss=/*"},                                                                                // Alibaba OSS: BUCKET.oss-REGION, -internal, -accelerate
		{suffix: "myqcloud.com", service: "cos", take: marked, marks: "cos=/*"},                                                                                // Tencent COS: BUCKET-APPID.cos.REGION, cos-website
		{suffix: "tencentcos.cn", service: "cos", take: marked, marks: "cos=/*"},                                                                               // Tencent COS, newer domain
		{suffix: "myhuaweicloud.com", service: "obs", take: marked, marks: "obs=/*"},                                                                           // Huawei OBS: BUCKET.obs.REGION, obs-website
		{suffix: "scw.cloud", service: "scaleway", take: marked, marks: "s3=/* s3-website"},                                                                    // Scaleway: BUCKET.s3.REGION
		{suffix: "cloud.ovh.net", service: "ovh", take: marked, marks: "s3=/*", zoned: true},                                                                   // OVHcloud: BUCKET.s3.REGION.io
		{suffix: "cloud-object-storage.appdomain.cloud", service: "ibm-cos", take: marked, marks: "s3=/* s3-web", zoned: true},                                 // IBM COS endpoints
		{suffix: "oraclecloud.com", service: "oci", take: marked, marks: "objectstorage=/n/*/b/*,/p/_/n/*/b/*", zoned: true},                                   // Oracle: /n/NAMESPACE/b/BUCKET; behind /p/ lies a secret
		{suffix: "storage.yandexcloud.net", service: "yandex", take: all, paths: "/*"},                                                                         // Yandex Object Storage; PSL
		{suffix: "website.yandexcloud.net", service: "yandex", take: all},                                                                                      // the same, static sites; PSL
		{suffix: "selcdn.ru", service: "selectel", take: first},                                                                                                // Selectel: ACCOUNT.selcdn.ru
		{suffix: "selstorage.ru", service: "selectel", take: first},                                                                                            // Selectel: public domains of buckets
		{suffix: "storage.selcloud.ru", service: "selectel", take: marked, marks: "s3=/*", zoned: true},                                                        // Selectel S3 API
		{suffix: "hb.bizmrg.com", service: "vk", take: all, paths: "/*"},                                                                                       // VK Cloud storage, older domain
		{suffix: "ib.bizmrg.com", service: "vk", take: all, paths: "/*"},                                                                                       // VK Cloud, icebox
		{suffix: "vkcs.cloud", service: "vk", take: marked, marks: "hb=/* ib=/*", zoned: true},                                                                 // VK Cloud storage
		{suffix: "ipfs.io", service: "ipfs", take: exact, paths: "/ipfs/* /ipns/*", cased: true},                                                               // IPFS gateway specification, path form
		{suffix: "dweb.link", service: "ipfs", take: first, paths: "/ipfs/* /ipns/*"},                                                                          // the same, subdomain form: CID.ipfs.dweb.link
		{suffix: "w3s.link", service: "ipfs", take: first, paths: "/ipfs/* /ipns/*"},                                                                           // web3.storage gateway
		{suffix: "nftstorage.link", service: "ipfs", take: first, paths: "/ipfs/* /ipns/*"},                                                                    // NFT.Storage gateway
		{suffix: "cloudflare-ipfs.com", service: "ipfs", take: within, paths: "/ipfs/* /ipns/*", cased: true},                                                  // Cloudflare gateway (closed 2024; phishing lived there)
		{suffix: "mypinata.cloud", service: "ipfs", take: last},                                                                                                // Pinata dedicated gateways: CUSTOMER.mypinata.cloud
		{suffix: "gateway.pinata.cloud", service: "ipfs", take: exact, paths: "/ipfs/* /ipns/*", cased: true},                                                  // Pinata public gateway
	}
}

// amazon are the names of AWS.
func amazon() []row {
	// S3 user guide, "Methods for accessing a bucket": BUCKET.s3.REGION, s3.REGION/BUCKET, s3-REGION, dualstack, fips, accelerate,
	// website endpoints, access points; API Gateway: ID.execute-api.REGION; SQS: /ACCOUNT/QUEUE; IoT and AppSync: endpoint of the account.
	const marks = "s3express s3=/* execute-api elb iot appsync-api sqs=/#/_"
	return []row{
		{suffix: "amazonaws.com", take: marked, marks: marks},
		{suffix: "amazonaws.com.cn", take: marked, marks: marks, realm: "-cn"},
		{suffix: "compute.amazonaws.com", service: "ec2", take: first},                // EC2 user guide, public DNS names; PSL
		{suffix: "compute-1.amazonaws.com", service: "ec2", take: first},              // the same, us-east-1; PSL
		{suffix: "elb.amazonaws.com", service: "elb", take: all},                      // Elastic Load Balancing, classic: NAME.REGION.elb; PSL
		{suffix: "us-east-1.amazonaws.com", take: marked, marks: marks, closed: true}, // PSL has it, but most names below are AWS's own
		{suffix: "on.aws", take: marked, marks: "lambda-url transfer-webapp"},         // Lambda function URLs: ID.lambda-url.REGION.on.aws; PSL
		{suffix: "api.aws", service: "aws", take: own, closed: true},                  // dual-stack endpoints of AWS's own APIs
		{suffix: "cloudfront.net", service: "cloudfront", take: last},                 // CloudFront developer guide; PSL; fronting: ATT&CK T1090.004
		{suffix: "elasticbeanstalk.com", service: "beanstalk", take: all},             // Elastic Beanstalk: ENV.REGION; PSL
		{suffix: "amplifyapp.com", service: "amplify", take: last},                    // Amplify hosting: BRANCH.APPID; PSL
		{suffix: "awsapprunner.com", service: "apprunner", take: first},               // App Runner: ID.REGION; PSL
		{suffix: "amazoncognito.com", service: "cognito", take: all},                  // Cognito hosted UI: PREFIX.auth.REGION; PSL
		{suffix: "awsglobalaccelerator.com", service: "accelerator", take: last},      // Global Accelerator
	}
}

// google are the names of Google; googleapis.com stands in the PSL for its object store alone.
func google() []row {
	const buckets = "/storage/_/b/* /upload/storage/_/b/* /download/storage/_/b/* /*"
	const documents = "/_/d/e/* /_/d/* /_/u/_/d/e/* /_/u/_/d/* /a/_/_/d/e/* /a/_/_/d/* /a/_/_/u/_/d/*"
	return []row{
		{suffix: "googleapis.com", take: own, closed: true},
		{suffix: "storage.googleapis.com", service: "gcs", take: all, paths: buckets},                                                                                                          // Cloud Storage request endpoints: XML, JSON, upload
		{suffix: "commondatastorage.googleapis.com", service: "gcs", take: all, paths: "/*"},                                                                                                   // the same, older name
		{suffix: "storage.cloud.google.com", service: "gcs", take: exact, paths: "/*"},                                                                                                         // the same, with log-in
		{suffix: "firebasestorage.googleapis.com", service: "gcs", take: exact, paths: "/_/b/*"},                                                                                               // Cloud Storage for Firebase
		{suffix: "firebasestorage.app", service: "gcs", take: last},                                                                                                                            // newer default buckets
		{suffix: "firestore.googleapis.com", service: "firestore", take: exact, paths: "/_/projects/*"},                                                                                        // Firestore REST
		{suffix: "www.googleapis.com", service: "google-api", take: exact, paths: "/storage/_/b/* /drive/_/files/* /upload/drive/_/files/* /calendar/_/calendars/*", cased: true},              // API discovery documents; Drive and Calendar C2: T1102.002
		{suffix: "sheets.googleapis.com", service: "google-docs", take: exact, paths: "/_/spreadsheets/*", cased: true},                                                                        // Sheets API; GC2-sheet
		{suffix: "gmail.googleapis.com", service: "gmail", take: exact, paths: "/gmail"},                                                                                                       // Gmail API: the account is in the token
		{suffix: "chat.googleapis.com", service: "google-chat", take: exact, paths: "/_/spaces/*", cased: true},                                                                                // Chat web hooks: the key is in the query
		{suffix: "docs.google.com", service: "google-docs", take: exact, paths: documents, cased: true},                                                                                        // Docs, Sheets, Slides, Forms
		{suffix: "forms.gle", service: "google-forms", take: exact, paths: "/*", cased: true},                                                                                                  // short links of Forms
		{suffix: "drive.google.com", service: "google-drive", take: exact, paths: "/file/d/* /drive/folders/* /drive/u/_/folders/* /uc?id /open?id /thumbnail?id /folderview?id", cased: true}, // Drive sharing links
		{suffix: "drive.usercontent.google.com", service: "google-drive", take: exact, paths: "/download?id /uc?id", cased: true},                                                              // Drive downloads
		{suffix: "script.google.com", service: "apps-script", take: exact, paths: "/macros/s/* /macros/d/* /a/macros/_/s/* /a/_/macros/s/*", cased: true},                                      // Apps Script web apps
		{suffix: "script.googleusercontent.com", service: "apps-script", take: exact, paths: "/macros"},                                                                                        // their answers: the script is in a signed parameter
		{suffix: "googleusercontent.com", service: "google-usercontent", take: within, paths: "/"},                                                                                             // what users uploaded, without a name of the user
		{suffix: "sites.google.com", service: "google-sites", take: exact, paths: "/view/* /site/* /a/*/* /d/*"},                                                                               // Sites, new and classic
		{suffix: "groups.google.com", service: "google-groups", take: exact, paths: "/g/* /a/_/g/*"},                                                                                           // Groups
		{suffix: "translate.goog", service: "translate", take: last},                                                                                                                           // pages shown through Translate: EXAMPLE-COM.translate.goog; PSL
		{suffix: "cloudfunctions.net", service: "cloud-functions", take: last},                                                                                                                 // REGION-PROJECT; PSL
		{suffix: "run.app", service: "cloud-run", take: first, after: "---"},                                                                                                                   // TAG---SERVICE-HASH-REGION.a.run.app; PSL
		{suffix: "appspot.com", service: "app-engine", take: first, after: "-dot-"},                                                                                                            // VERSION-dot-SERVICE-dot-PROJECT.REGION.r; PSL
		{suffix: "web.app", service: "firebase", take: last, before: "--"},                                                                                                                     // PROJECT--CHANNEL-HASH; PSL
		{suffix: "firebaseapp.com", service: "firebase", take: last, before: "--"},                                                                                                             // PSL
		{suffix: "firebaseio.com", service: "firebase-db", take: last, drop: "-default-rtdb"},                                                                                                  // Realtime Database as C2 channel: T1102.002
		{suffix: "firebasedatabase.app", service: "firebase-db", take: first, drop: "-default-rtdb"},                                                                                           // the same, other regions: DB.REGION
	}
}

// microsoft are the names of Azure and Microsoft 365.
func microsoft() []row {
	const hooks = "/webhook/@ /webhookb2/@"
	return []row{
		{suffix: "blob.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"},  // Azure Storage account endpoints; PSL
		{suffix: "file.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"},  // PSL
		{suffix: "table.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"}, // as above
		{suffix: "queue.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"}, // as above
		{suffix: "dfs.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"},   // Data Lake
		{suffix: "web.core.windows.net", service: "azure-storage", take: first, drop: "-secondary"},   // static sites: ACCOUNT.z13.web; PSL
		{suffix: "storage.azure.net", service: "azure-storage", take: first},                          // DNS zone endpoints: ACCOUNT.z00.blob
		{suffix: "azurewebsites.net", service: "azure-app", take: first},                              // App Service and Functions: APP, APP.scm, APP-HASH.REGION; PSL
		{suffix: "azurestaticapps.net", service: "azure-static", take: first},                         // NAME.REGION.1; PSL
		{suffix: "azurecontainerapps.io", service: "azure-container", take: all},                      // APP.ENV.REGION
		{suffix: "azurecontainer.io", service: "azure-container", take: all},                          // LABEL.REGION; PSL
		{suffix: "cloudapp.azure.com", service: "azure-vm", take: all},                                // LABEL.REGION; PSL; taken over when left dangling
		{suffix: "cloudapp.net", service: "azure-vm", take: last},                                     // classic; PSL
		{suffix: "trafficmanager.net", service: "azure-traffic", take: last},                          // PSL
		{suffix: "azureedge.net", service: "azure-cdn", take: last},                                   // PSL; fronting: T1090.004
		{suffix: "azurefd.net", service: "azure-front-door", take: first},                             // NAME-HASH.z01; PSL
		{suffix: "azure-api.net", service: "azure-api", take: first},                                  // NAME, NAME.portal; PSL
		{suffix: "servicebus.windows.net", service: "azure-relay", take: last},                        // Relay and Event Hubs name spaces; PSL; C2 over relays
		{suffix: "logic.azure.com", service: "logic-apps", take: within, paths: "/workflows/*"},       // request triggers: the signature is in the query
		{suffix: "devtunnels.ms", service: "devtunnels", take: all},                                   // Dev Tunnels: ID-PORT.REGION
		{suffix: "sharepoint.com", service: "sharepoint", take: first, drop: "-my -admin -myfiles"},   // TENANT, TENANT-my
		{suffix: "onedrive.live.com", service: "onedrive", take: exact, paths: "/_?resid /_?cid"},     // OneDrive, personal
		{suffix: "1drv.ms", service: "onedrive", take: exact, paths: "/_/c/* /_/*", cased: true},      // its short links
		{suffix: "api.onedrive.com", service: "onedrive", take: exact, paths: "/_/drives/* /_/shares/*"},
		{suffix: "graph.microsoft.com", service: "graph", take: exact, paths: "/_/users/* /_/groups/* /_/teams/* /_/sites/* /_/drives/*"}, // Graph REST; /me is in the token; T1102.002 (Graphite, BirdyClient)
		{suffix: "webhook.office.com", service: "teams", take: last, paths: hooks},                                                        // Teams incoming web hooks: TENANT.webhook
		{suffix: "outlook.office.com", service: "teams", take: exact, paths: hooks},                                                       // the same, older: /webhook/GROUP@TENANT/IncomingWebhook/SECRET
		{suffix: "outlook.office365.com", service: "teams", take: exact, paths: hooks},                                                    // as above
		{suffix: "forms.office.com", service: "ms-forms", take: exact, paths: "/r/* /_/_?id", cased: true},                                // Forms
	}
}
