package reputation

import (
	"strings"

	"weir/internal/hostname"
	"weir/internal/reputation/lookalike"
)

// brands are names that phishing imitates most: those that stand year after year in the rankings of imitated brands that Check Point
// ("Brand Phishing Report"), Cloudflare ("top 50 brands in phishing") and APWG publish, by their log-in domains, and the places that
// programs are fetched from. They make nobody known; what looks like one of them and is new here is suspicious.
const brands = `
microsoft.com google.com apple.com amazon.com paypal.com facebook.com linkedin.com instagram.com whatsapp.com netflix.com
microsoftonline.com office.com outlook.com live.com sharepoint.com onedrive.com azure.com windows.com skype.com
gmail.com youtube.com android.com googleapis.com icloud.com dropbox.com adobe.com docusign.com zoom.us slack.com
yahoo.com wikipedia.org twitter.com telegram.org discord.com github.com gitlab.com bitbucket.org npmjs.com pypi.org docker.com
steampowered.com steamcommunity.com roblox.com spotify.com ebay.com alibaba.com aliexpress.com walmart.com booking.com airbnb.com
dhl.com fedex.com ups.com usps.com hermes-europe.co.uk royalmail.com
chase.com wellsfargo.com bankofamerica.com citibank.com americanexpress.com mastercard.com visa.com hsbc.com barclays.co.uk
santander.com bnpparibas.com deutsche-bank.de commerzbank.de sparkasse.de ing.com revolut.com stripe.com
coinbase.com binance.com kraken.com blockchain.com metamask.io trezor.io ledger.com
att.com verizon.com t-mobile.com vodafone.com orange.fr
salesforce.com servicenow.com workday.com okta.com duosecurity.com cisco.com vmware.com citrix.com oracle.com
fortinet.com paloaltonetworks.com cloudflare.com godaddy.com wordpress.com
`

// Popular are the built-in names that others imitate, as package lookalike wants them.
func Popular() []lookalike.Popular {
	var out []lookalike.Popular
	for word := range strings.FieldsSeq(brands) {
		out = append(out, lookalike.Popular{Name: hostname.MustParse(word), Rank: len(out) + 1})
	}
	return out
}
