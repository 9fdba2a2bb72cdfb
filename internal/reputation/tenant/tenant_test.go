package tenant_test

import (
	"strings"
	"testing"

	"weir/internal/hostname"
	"weir/internal/reputation/tenant"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, path, key string }{
		// S3: all spellings of one bucket are one tenant
		{"bucket.s3.amazonaws.com", "/k", "s3/bucket"},
		{"s3.amazonaws.com", "/bucket/k", "s3/bucket"},
		{"s3.amazonaws.com", "/Bucket/k", "s3/bucket"},
		{"s3.eu-west-1.amazonaws.com", "/bucket/k", "s3/bucket"},
		{"s3-eu-west-1.amazonaws.com", "/bucket", "s3/bucket"},
		{"bucket.s3.eu-west-1.amazonaws.com", "", "s3/bucket"},
		{"bucket.s3-eu-west-1.amazonaws.com", "", "s3/bucket"},
		{"bucket.s3.us-east-1.amazonaws.com", "", "s3/bucket"},
		{"s3.us-east-1.amazonaws.com", "/bucket", "s3/bucket"},
		{"s3.dualstack.us-east-1.amazonaws.com", "/bucket", "s3/bucket"},
		{"bucket.s3.dualstack.eu-west-1.amazonaws.com", "", "s3/bucket"},
		{"s3.dualstack.eu-west-1.amazonaws.com", "//bucket//x", "s3/bucket"},
		{"bucket.s3-fips.us-gov-west-1.amazonaws.com", "", "s3/bucket"},
		{"bucket.s3-accelerate.amazonaws.com", "", "s3/bucket"},
		{"bucket.s3-accelerate.dualstack.amazonaws.com", "", "s3/bucket"},
		{"bucket.s3-website-us-east-1.amazonaws.com", "/", "s3/bucket"},
		{"bucket.s3-website.eu-central-1.amazonaws.com", "/", "s3/bucket"},
		{"s3-external-1.amazonaws.com", "/bucket/", "s3/bucket"},
		{"my.dotted.s3.s3.eu-west-1.amazonaws.com", "", "s3/my.dotted.s3"},
		{"bucket.bucket.vpce-1a2b-c.s3.us-east-1.vpce.amazonaws.com", "", "s3/bucket"},
		{"bucket.vpce-1a2b-c.s3.us-east-1.vpce.amazonaws.com", "/bucket/k", "s3/bucket"},
		{"name-123456789012.s3-accesspoint.us-west-2.amazonaws.com", "", "s3-accesspoint/name-123456789012"},
		{"alias.mrap.accesspoint.s3-global.amazonaws.com", "", "s3-accesspoint/alias.mrap"},
		{"bucket--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", "", "s3express/bucket--use1-az4--x-s3"},
		{"bucket.s3.cn-north-1.amazonaws.com.cn", "", "s3-cn/bucket"},
		{"s3.eu-west-1.amazonaws.com", "", "s3/"},
		{"s3.amazonaws.com", "/", "s3/"},
		{"s3.amazonaws.com", "/bucket%2Fk", "s3/%"},
		{"s3.amazonaws.com", "/bucket;x/k", "s3/%"},
		{"s3.amazonaws.com", `/bucket\k`, "s3/%"},
		{"s3.amazonaws.com", "/mine/../theirs/k", "s3/"},
		{"s3.amazonaws.com", "/./bucket/k", "s3/bucket"},
		{"s3.amazonaws.com", "/?list-type=2", "s3/"},
		{"abc123.execute-api.us-east-1.amazonaws.com", "/prod", "execute-api/abc123"},
		{"abc123.execute-api.eu-west-1.amazonaws.com", "/prod", "execute-api/abc123"},
		{"ec2-1-2-3-4.eu-west-1.compute.amazonaws.com", "", "ec2/ec2-1-2-3-4"},
		{"web-123.eu-west-1.elb.amazonaws.com", "", "elb/web-123.eu-west-1"},
		{"sqs.us-east-1.amazonaws.com", "/123456789012/queue", "sqs/123456789012"},
		{"id.lambda-url.us-east-1.on.aws", "/", "lambda-url/id"},
		{"d111111abcdef8.cloudfront.net", "/", "cloudfront/d111111abcdef8"},
		{"sts.us-east-1.amazonaws.com", "/", ""},
		{"sts.eu-west-1.amazonaws.com", "/", ""},
		{"aws.amazon.com", "/s3", ""},
		// the other object stores
		{"storage.googleapis.com", "/bucket/o", "gcs/bucket"},
		{"bucket.storage.googleapis.com", "/o", "gcs/bucket"},
		{"storage.googleapis.com", "/storage/v1/b/bucket/o/x", "gcs/bucket"},
		{"www.googleapis.com", "/storage/v1/b/bucket/o", "google-api/bucket"},
		{"storage.cloud.google.com", "/bucket/o", "gcs/bucket"},
		{"firebasestorage.googleapis.com", "/v0/b/bucket.appspot.com/o/x?alt=media&token=secret", "gcs/bucket.appspot.com"},
		{"fonts.googleapis.com", "/css", ""},
		{"googleapis.com", "/", ""},
		{"account.blob.core.windows.net", "/container/x?sig=secret", "azure-storage/account"},
		{"account-secondary.blob.core.windows.net", "", "azure-storage/account"},
		{"account.z13.web.core.windows.net", "/", "azure-storage/account"},
		{"account.table.core.windows.net", "/", "azure-storage/account"},
		{"bucket.account.r2.cloudflarestorage.com", "/", "r2/account"},
		{"account.eu.r2.cloudflarestorage.com", "/bucket", "r2/account"},
		{"pub-0123.r2.dev", "/x", "r2-public/pub-0123"},
		{"f004.backblazeb2.com", "/file/bucket/x", "b2/bucket"},
		{"bucket.s3.us-west-004.backblazeb2.com", "", "b2/bucket"},
		{"s3.us-west-004.backblazeb2.com", "/bucket/x", "b2/bucket"},
		{"s3.wasabisys.com", "/bucket/x", "wasabi/bucket"},
		{"bucket.s3.eu-central-1.wasabisys.com", "/x", "wasabi/bucket"},
		{"bucket.nyc3.digitaloceanspaces.com", "/x", "do-spaces/nyc3/bucket"},
		{"bucket.nyc3.cdn.digitaloceanspaces.com", "/x", "do-spaces/nyc3/bucket"},
		{"nyc3.digitaloceanspaces.com", "/bucket/x", "do-spaces/nyc3/bucket"},
		{"bucket.oss-cn-hangzhou.aliyuncs.com", "/x", "oss/bucket"},
		{"bucket.oss-cn-hangzhou-internal.aliyuncs.com", "/x", "oss/bucket"},
		{"bucket-125.cos.ap-guangzhou.myqcloud.com", "/x", "cos/bucket-125"},
		{"bucket-125.cos-website.ap-guangzhou.myqcloud.com", "/x", "cos/bucket-125"},
		{"bucket.obs.cn-north-4.myhuaweicloud.com", "/x", "obs/bucket"},
		{"storage.yandexcloud.net", "/bucket/x", "yandex/bucket"},
		{"bucket.storage.yandexcloud.net", "/x", "yandex/bucket"},
		{"bucket.website.yandexcloud.net", "/x", "yandex/bucket"},
		{"hb.bizmrg.com", "/bucket/x", "vk/bucket"},
		{"bucket.hb.ru-msk.vkcs.cloud", "/x", "vk/ru-msk/bucket"},
		{"s3.ru-1.storage.selcloud.ru", "/bucket/x", "selectel/ru-1/bucket"},
		{"objectstorage.us-ashburn-1.oraclecloud.com", "/p/SECRET/n/space/b/bucket/o/x", "oci/us-ashburn-1/space/bucket"},
		{"objectstorage.us-ashburn-1.oraclecloud.com", "/n/space/b/bucket/o/x", "oci/us-ashburn-1/space/bucket"},
		{"ipfs.io", "/ipfs/QmAbC/x", "ipfs/QmAbC"},
		// functions and pages
		{"w.account.workers.dev", "/", "workers/account"},
		{"account.workers.dev", "/", "workers/account"},
		{"deadbeef.project.pages.dev", "/", "cf-pages/project"},
		{"workers.dev", "/", ""},
		{"x.vercel.app", "/", "vercel/x"},
		{"deploy-preview-7--site.netlify.app", "/", "netlify/site"},
		{"tag---svc-abc-uc.a.run.app", "/", "cloud-run/svc-abc-uc"},
		{"v2-dot-project.ey.r.appspot.com", "/", "app-engine/project"},
		{"project--preview-a1.web.app", "/", "firebase/project"},
		{"db-default-rtdb.firebaseio.com", "/x.json?auth=secret", "firebase-db/db"},
		{"db-default-rtdb.europe-west1.firebasedatabase.app", "/x.json", "firebase-db/db"},
		{"app.azurewebsites.net", "/", "azure-app/app"},
		{"app.scm.azurewebsites.net", "/", "azure-app/app"},
		{"user.github.io", "/", "github-pages/user"},
		{"project.user.repl.co", "/", "replit/user"},
		{"x.trycloudflare.com", "/", "trycloudflare/x"},
		{"x.eu.ngrok.io", "/", "ngrok/x.eu"},
		{"db.project.supabase.co", "/", "supabase/project"},
		{"project.storage.supabase.co", "/", "supabase/project"},
		{"contoso.sharepoint.com", "/", "sharepoint/contoso"},
		{"contoso-my.sharepoint.com", "/personal/x", "sharepoint/contoso"},
		{"zone.b-cdn.net", "/", "bunny/zone"},
		{"www.example.com.edgekey.net", "", "akamai/www.example.com"},
		{"cdn.jsdelivr.net", "/gh/user/repo@1.2/x.js", "jsdelivr/user/repo"},
		// forges
		{"github.com", "/User/Repo/releases/download/v1/x.exe", "github/user/repo"},
		{"www.github.com", "/User/Repo", "github/user/repo"},
		{"raw.githubusercontent.com", "/User/Repo/main/x", "github/user/repo"},
		{"codeload.github.com", "/user/repo/zip/main", "github/user/repo"},
		{"api.github.com", "/repos/user/repo/contents", "github/user/repo"},
		{"objects.githubusercontent.com", "/github-production-release-asset-2e65be/12345/x?X-Amz-Signature=secret", "github-usercontent/12345"},
		{"gist.github.com", "/User/0123", "gist/user"},
		{"gist.githubusercontent.com", "/user/0123/raw/x", "gist/user"},
		{"github.com", "/user", "github/"},
		{"github.com", "", "github/"},
		{"github.com", "/user%2Frepo/x/y", "github/%"},
		{"gitlab.com", "/group/project/-/raw/main/x", "gitlab/group/project"},
		{"gitlab.com", "/api/v4/projects/42/x", "gitlab/42"},
		{"gitlab.com", "/api/v4/projects/evil%2Frepo/x", "gitlab/%"},
		{"cdn.jsdelivr.net", "/npm/react@18/umd/react.js", "jsdelivr/react"},
		{"cdn.jsdelivr.net", "/npm/@scope/pkg@1/x.js", "jsdelivr/@scope/pkg"},
		{"unpkg.com", "/@scope/pkg@1/x.js", "unpkg/@scope/pkg"},
		{"unpkg.com", "/react@18/x.js", "unpkg/react"},
		{"bitbucket.org", "/team/repo/downloads/x", "bitbucket/team/repo"},
		// pastes, documents, files
		{"pastebin.com", "/raw/AbCd1234", "pastebin/AbCd1234"},
		{"pastebin.com", "/AbCd1234", "pastebin/AbCd1234"},
		{"pastebin.com", "/raw.php?i=AbCd1234", "pastebin/AbCd1234"},
		{"pastebin.com", "/api/api_post.php", "pastebin/"},
		{"rentry.co", "/abc/raw", "rentry/abc"},
		{"docs.google.com", "/forms/d/e/1FAI-x_y/viewform", "google-docs/1FAI-x_y"},
		{"docs.google.com", "/forms/d/AbC/edit", "google-docs/AbC"},
		{"docs.google.com", "/spreadsheets/u/0/d/AbC/edit", "google-docs/AbC"},
		{"docs.google.com", "/a/example.com/document/d/AbC", "google-docs/AbC"},
		{"docs.google.com", "/forms", "google-docs/"},
		{"sites.google.com", "/view/x/home", "google-sites/x"},
		{"script.google.com", "/macros/s/AKfy/exec", "apps-script/AKfy"},
		{"drive.google.com", "/uc?export=download&id=AbC", "google-drive/AbC"},
		{"drive.google.com", "/uc?id=AbC&id=DeF", "google-drive/"},
		{"drive.google.com", "/file/d/AbC/view", "google-drive/AbC"},
		{"www.dropbox.com", "/s/AbC/x.exe?dl=1", "dropbox/AbC"},
		{"dl.dropboxusercontent.com", "/s/AbC/x.exe", "dropbox/AbC"},
		{"www.dropbox.com", "/scl/fi/AbC/x.exe?rlkey=secret", "dropbox/AbC"},
		{"content.dropboxapi.com", "/2/files/upload", "dropbox/"},
		{"contoso.app.box.com", "/s/AbC", "box/contoso"},
		{"app.box.com", "/s/AbC", "box/AbC"},
		// chat and mail: no secrets
		{"api.telegram.org", "/bot123456:AAsecret/sendMessage", "telegram/123456"},
		{"api.telegram.org", "/bot123456%3AAAsecret/sendMessage", "telegram/123456"},
		{"api.telegram.org", "/bot123456%3aAAsecret/sendMessage", "telegram/123456"},
		{"api.telegram.org", "//file//bot123456:AAsecret/x", "telegram/123456"},
		{"api.telegram.org", "/bot123456AAsecret/sendMessage", "telegram/"},
		{"api.telegram.org", "/botAAsecret/sendMessage", "telegram/"},
		{"api.telegram.org", "/bot", "telegram/"},
		{"discord.com", "/api/webhooks/123/secret", "discord/123"},
		{"discordapp.com", "/api/v10/webhooks/123/secret", "discord/123"},
		{"ptb.discord.com", "/api/webhooks/123/secret", "discord/123"},
		{"discord.com", "/api/webhooks/secret", "discord/"},
		{"cdn.discordapp.com", "/attachments/123/456/x.exe?hm=secret", "discord/123"},
		{"hooks.slack.com", "/services/T0/B0/secret", "slack/T0/B0"},
		{"hooks.slack.com", "/workflows/T0/A0/1/secret", "slack/T0"},
		{"outlook.office.com", "/webhook/group@tenant/IncomingWebhook/secret/x", "teams/tenant"},
		{"contoso.webhook.office.com", "/webhookb2/group@tenant/IncomingWebhook/secret/x", "teams/contoso"},
		{"graph.microsoft.com", "/v1.0/users/u@example.com/drive", "graph/u@example.com"},
		{"graph.microsoft.com", "/v1.0/me/drive", "graph/"},
		{"api.mailgun.net", "/v3/mg.example.com/messages", "mailgun/mg.example.com"},
		{"api.mailgun.net", "/v3/domains", "mailgun/"},
		{"api.sendgrid.com", "/v3/mail/send", "sendgrid/"},
		{"maker.ifttt.com", "/trigger/x/with/key/secret", "ifttt/"},
		{"hooks.zapier.com", "/hooks/catch/123/secret", "zapier/123"},
		{"ntfy.sh", "/secret", "ntfy/"},
		{"t.me", "/joinchat/secret", "telegram-channel/"},
		{"t.me", "/+secret", "telegram-channel/%"},
		{"t.me", "/s/channel", "telegram-channel/channel"},
		{"webhook.site", "/secret", "webhook-site/"},
		// data bases and boards
		{"api.airtable.com", "/v0/appAbC/table", "airtable/appAbC"},
		{"api.trello.com", "/1/boards/AbC?token=secret", "trello/AbC"},
		{"api.notion.com", "/v1/pages/0123", "notion-api/0123"},
		// the Public Suffix List for the rest, and names that are nobody's
		{"shop.example.uk.com", "/", "uk.com/example"},
		{"uk.com", "/", ""},
		{"example.com", "/bot1:secret", ""},
		{"localhost", "/", ""},
		{"a.b.nosuchtld", "/", ""},
		{"www.google.com", "/", ""},
		{"notgithub.com", "/a/b", ""},
		{"github.com.evil.example", "/a/b", ""},
	} {
		t.Run(tt.name+tt.path, func(t *testing.T) {
			t.Parallel()
			key, service, ok := tenant.Of(hostname.MustParse(tt.name), tt.path)
			got := key
			if ok && key == "" {
				got = service + "/"
			}
			if at := strings.IndexByte(got, '%'); at >= 0 && len(got) == at+33 {
				got = got[:at+1] // and a hash
			}
			if got != tt.key || ok != (tt.key != "") {
				t.Errorf("Of(%s, %s) = %q %q %t, want %q", tt.name, tt.path, key, service, ok, tt.key)
			}
			if strings.Contains(strings.ToLower(key), "secret") {
				t.Errorf("a secret in %q", key)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"w.account.workers.dev": 3, "account.workers.dev": 3, "a.b.s3.eu-west-1.amazonaws.com": 6, "s3.eu-west-1.amazonaws.com": 5,
		"pastebin.com": 3, "www.pastebin.com": 4, "www.dropbox.com": 4, "app.scm.azurewebsites.net": 4, "shop.example.uk.com": 3, "b.nyc3.digitaloceanspaces.com": 4,
		"www.example.com": 0, "uk.com": 0, "fonts.googleapis.com": 0, "sts.us-east-1.amazonaws.com": 0, "workers.dev": 0,
	} {
		if got := tenant.Labels(hostname.MustParse(name)); got != want {
			t.Errorf("Labels(%s) = %d, want %d", name, got, want)
		}
	}
}

// TestOrDomain: what is on no shared service has the registrable domain for a key, also what is the provider's own.
func TestOrDomain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"www.example.co.uk": "example.co.uk", "example.com": "example.com", "com": "com", "co.uk": "co.uk", "localhost": "localhost",
		"fonts.googleapis.com": "fonts.googleapis.com", "mine.github.io": "github-pages/mine", "x.blogspot.com": "blogspot.com/x", "a.b.example": "b.example",
	} {
		n := hostname.MustParse(text)
		key, _, ok := tenant.OrDomain(n, "")
		of, _, shared := tenant.Of(n, "")
		if ok != shared || ok && key != of || !ok && (of != "" || key != n.Registrable().String()) {
			t.Errorf("%s: %q %v, alone %q %v", text, key, ok, of, shared)
		}
		if !ok && key != want {
			t.Errorf("%s: %q, want %q", text, key, want)
		}
	}
}

// TestDoor: no two paths that may lead to different customers open each other, and what is odd is nobody's but its own.
func TestDoor(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, link := range []string{
		"gitlab.com/api/v4/projects/good%2Frepo/x", "gitlab.com/api/v4/projects/evil%2Frepo/x", "github.com/", "github.com/good/re%20po", "github.com/evil/re%20po",
		"github.com/good/repo", "storage.googleapis.com/", "storage.googleapis.com/evil%20/y", "storage.googleapis.com/good", "storage.googleapis.com/good%00evil", "storage.googleapis.com/good/../evil",
		"api.telegram.org/", "api.telegram.org/bot222:BBB/x", "api.telegram.org/bot222%20:BBB/x", "api.telegram.org/bot+222:BBB/x", "api.telegram.org/bot" + strings.Repeat("0", 130) + "222:BBB/x",
		"api.github.com/x", "github.com/x", "api.github.com/gists/good", "api.github.com/gists/evil", "api.github.com/repositories/12345", "api.github.com/repositories/12346",
		"cdn.jsdelivr.net/combine/gh/good/x", "cdn.jsdelivr.net/combine/gh/evil/x", "unpkg.com/@good/x", "unpkg.com/@evil/x", "cdn.jsdelivr.net/npm/good@1/umd/x", "cdn.jsdelivr.net/npm/evil@1/umd/x",
		"drive.google.com/uc?id=good&id=evil", "drive.google.com/uc?id=evil&id=good", "webhook.site/good", "webhook.site/evil", "privatebin.net/?good", "privatebin.net/?evil",
	} {
		host, path, _ := strings.Cut(link, "/")
		key := tenant.Door(hostname.MustParse(host), "/"+path)
		if other, had := seen[key]; had || key == "" || strings.Contains(key, "BBB") || strings.Contains(key, "webhook-site/good") {
			t.Errorf("%s: %q, as %q", link, key, other)
		}
		seen[key] = link
	}
	if a, b := tenant.Door(hostname.MustParse("gitlab.com"), "/api/v4/projects/good%2Frepo/a"), tenant.Door(hostname.MustParse("gitlab.com"), "/api/v4/projects/good%2Frepo/b?c"); a != b {
		t.Errorf("one project: %q %q", a, b)
	}
	if key := tenant.Door(hostname.MustParse("example.com"), "/x"); key != "" {
		t.Errorf("on no service: %q", key)
	}
}
