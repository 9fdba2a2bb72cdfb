package lookalike_test

import (
	"testing"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

// listed is a small popularity list; the number behind a name is its rank.
func listed() []lookalike.Popular {
	var out []lookalike.Popular
	for i, name := range []string{
		"google.com", "microsoft.com", "apple.com", "paypal.com", "amazon.com", "facebook.com", "usa.gov", "ebay.com", "uber.com",
		"nbc.com", "cnn.com", "wikipedia.org", "cloudflare.com", "instagram.com", "twitter.com", "netflix.com", "yahoo.com", "github.com",
		"muller.com", "bbc.co.uk", "booking.com", "adobe.com", "space.com", "walmart.com", "binance.com", "bumble.com", "azurefd.net",
	} {
		out = append(out, lookalike.Popular{Name: hostname.MustParse(name), Rank: i + 1})
	}
	for _, name := range []string{"contoso-bank.example", "fabrikam.com", "paypal.com"} {
		out = append(out, lookalike.Popular{Name: hostname.MustParse(name), Protected: true})
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	index := lookalike.New(listed())
	for _, tt := range []struct {
		name string
		of   string
		kind lookalike.Kind
		min  uint8
	}{
		{"rnicrosoft.com", "microsoft.com", lookalike.Skeleton, 90},
		{"www.rnicrosoft.com", "microsoft.com", lookalike.Skeleton, 90},
		{"login.rnicrosoft.co.uk", "microsoft.com", lookalike.Skeleton, 90},
		{"g00gle.com", "google.com", lookalike.Skeleton, 90},
		{"paypa1.com", "paypal.com", lookalike.Skeleton, 90},
		{"paypaI.com", "paypal.com", lookalike.Skeleton, 80},
		{"vvikipedia.org", "wikipedia.org", lookalike.Skeleton, 90},
		{"clouclflare.com", "cloudflare.com", lookalike.Skeleton, 85},
		{"face-book.com", "facebook.com", lookalike.Skeleton, 70},
		{"fabr1karn.net", "fabrikam.com", lookalike.Skeleton, 85},
		{"аррӏе.com", "apple.com", lookalike.Homoglyph, 95}, // Cyrillic
		{"xn--pple-43d.com", "apple.com", lookalike.Homoglyph, 95},
		{"gοοgle.com", "google.com", lookalike.Homoglyph, 95},     // Greek omicron
		{"gօօgle.com", "google.com", lookalike.Homoglyph, 95},     // Armenian
		{"Ꮐoogle.com", "google.com", lookalike.Homoglyph, 95},     // Cherokee
		{"gꭵthub.com", "github.com", lookalike.Homoglyph, 95},     // Cherokee, small letter
		{"bınance.com", "binance.com", lookalike.Homoglyph, 95},   // dotless i
		{"pаypаl.com", "paypal.com", lookalike.Homoglyph, 95},     // mixed
		{"ạpple.com", "apple.com", lookalike.Homoglyph, 85},       // mark
		{"müller.com", "muller.com", lookalike.Homoglyph, 70},     // not the same organisation, perhaps
		{"fɑcebook.com", "facebook.com", lookalike.Homoglyph, 95}, // Latin extended
		{"paypal.com.evil.example", "paypal.com", lookalike.Embedded, 85},
		{"www.paypal.com.verify.evil.example", "paypal.com", lookalike.Embedded, 85},
		{"paypa1.com.evil.example", "paypal.com", lookalike.Embedded, 85},
		{"fabríkam.login.evil.example", "fabrikam.com", lookalike.Embedded, 60},
		{"paypal-login.com", "paypal.com", lookalike.Combo, 75},
		{"secure-paypa1-account.com", "paypal.com", lookalike.Combo, 75},
		{"раураӏ-login.com", "paypal.com", lookalike.Combo, 75},
		{"azurefcl.net", "azurefd.net", lookalike.Skeleton, 60},
		{"micorsoft.com", "microsoft.com", lookalike.Edit, 85},
		{"gooogle.com", "google.com", lookalike.Edit, 70},
		{"googel.com", "google.com", lookalike.Edit, 70},
		{"wikipeda.org", "wikipedia.org", lookalike.Edit, 70},
		{"instagran.com", "instagram.com", lookalike.Edit, 70},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := index.Find(hostname.MustParse(tt.name))
			if !ok || got.Of.String() != tt.of || got.Kind != tt.kind || got.Score < tt.min {
				t.Errorf("Find(%s) = %v %v %d %t, want %s %v at least %d", tt.name, got.Of, got.Kind, got.Score, ok, tt.of, tt.kind, tt.min)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	index := lookalike.New(listed())
	for _, name := range []string{
		"tsa.gov", "abc.com", "cbc.ca", "ebey.com", "huber.com", "appl.com", "hp.com", "cnm.com", "www.google.com", "google.de", "amazon.it", "azurefd.net", "x.azurefd.net",
		"space.net", "spade.com", "paypal.okta.com", "paypal.mirror.example", "москва.рф", "münchen.de", "bücher.de", "日本語.jp", "ελλάδα.gr",
		"com", "co.uk", "localhost", "github.io", "paypal.github.io", "paypal-fans.com", "cloudfront.net", "оса.рф", "a.b.c.d.example",
		"my-secure-login.com", "xn--a.com", "xn--99999999.com", "1.com", "-.com",
	} {
		parsed, err := hostname.FromDNS(name)
		if p, perr := hostname.Parse(name); perr == nil {
			parsed, err = p, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := index.Find(parsed); ok {
			t.Errorf("Find(%s) = %v %v %d", name, got.Of, got.Kind, got.Score)
		}
	}
	var none *lookalike.Index
	if _, ok := none.Find(hostname.MustParse("g00gle.com")); ok {
		t.Error("a nil index found something")
	}
	if _, ok := lookalike.New(nil).Find(hostname.MustParse("g00gle.com")); ok {
		t.Error("an empty index found something")
	}
}
