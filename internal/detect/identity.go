package detect

import (
	"strings"

	"weir/internal/hostname"
	"weir/internal/inspect"
	"weir/internal/verdict"
)

// identityMismatch finds a ClientHello whose SNI is not the name that the client asked to be connected with.
type identityMismatch struct{}

var _ inspect.Header = identityMismatch{}

// Info implements [inspect.Detector].
func (identityMismatch) Info() inspect.Info {
	return inspect.Info{
		Name:      "identity-mismatch",
		About:     "The SNI of the ClientHello inside a CONNECT names another host than the CONNECT: domain fronting.",
		Technique: "T1090.004",
		Severity:  inspect.High,
		Default:   verdict.Block,
		False:     "Clients with Encrypted ClientHello, whose outer SNI is that of their provider; tests of new servers under an old name.",
	}
}

// Head implements [inspect.Header].
func (identityMismatch) Head(tx *inspect.Transaction, phase inspect.Phase, report inspect.Report) {
	hello, target, ok := handshake(tx, phase)
	if !ok || hello.SNI == "" {
		return
	}
	named, err := hostname.ParseHost(hello.SNI)
	switch {
	case err != nil:
		report(mismatch("SNI that is no name", hello, target))
	case target.IsAddr() && !named.IsAddr(): // no two names to compare: sniUnusual
	case !named.SameHost(target):
		report(mismatch("SNI", hello, target))
	}
}

func mismatch(what string, hello *inspect.Hello, target hostname.Authority) inspect.Match {
	detail := what + " " + short(hello.SNI) + ", CONNECT " + target.Host()
	if hello.ECH {
		detail += " (with Encrypted ClientHello)"
	}
	return inspect.Match{Severity: inspect.High, Confidence: 95, Detail: detail}
}

// sniUnusual finds handshakes whose SNI neither confirms nor contradicts the CONNECT.
type sniUnusual struct{}

var _ inspect.Header = sniUnusual{}

// Info implements [inspect.Detector].
func (sniUnusual) Info() inspect.Info {
	return inspect.Info{
		Name:      "sni-unusual",
		About:     "A ClientHello without SNI inside a CONNECT to a name, or with one inside a CONNECT to an address.",
		Technique: "T1090.004",
		Severity:  inspect.Medium,
		Default:   verdict.Log,
		False:     "Old TLS libraries and devices send no SNI; clients that resolve names themselves (curl --resolve) connect to addresses.",
	}
}

// Head implements [inspect.Header].
func (sniUnusual) Head(tx *inspect.Transaction, phase inspect.Phase, report inspect.Report) {
	hello, target, ok := handshake(tx, phase)
	if !ok {
		return
	}
	switch {
	case hello.SNI == "" && !target.IsAddr():
		report(inspect.Match{Severity: inspect.Low, Confidence: 100, Detail: "no SNI, CONNECT " + target.Host()})
	case hello.SNI != "" && target.IsAddr():
		named, err := hostname.ParseHost(hello.SNI)
		if err != nil || named.IsAddr() && !named.SameHost(target) {
			return // identityMismatch
		}
		report(inspect.Match{Severity: inspect.Medium, Confidence: 100, Detail: "SNI " + short(hello.SNI) + ", CONNECT to address " + target.Host()})
	}
}

// handshake returns the ClientHello in a CONNECT and where the CONNECT goes; ok in phase Open only, so that each is judged once.
func handshake(tx *inspect.Transaction, phase inspect.Phase) (hello *inspect.Hello, target hostname.Authority, ok bool) {
	if phase != inspect.Open || tx.Flow == nil || tx.Flow.Hello == nil {
		return nil, hostname.Authority{}, false
	}
	target = tx.Flow.Authorized
	if target.IsZero() {
		target = tx.Target
	}
	return tx.Flow.Hello, target, !target.IsZero()
}

// misdirectedRequest finds requests inside a CONNECT that name another host than the CONNECT did.
type misdirectedRequest struct{}

var _ inspect.Header = misdirectedRequest{}

// Info implements [inspect.Detector].
func (misdirectedRequest) Info() inspect.Info {
	return inspect.Info{
		Name:      "misdirected-request",
		About:     "Host or :authority of a request inside a CONNECT is not the host and port that the CONNECT was allowed to reach.",
		Technique: "T1090.004",
		Severity:  inspect.High,
		Default:   verdict.Block,
		Safety:    verdict.SafetyMisdirected,
		False:     "HTTP/2 clients that share a connection between names of one certificate; they repeat the request after the 421.",
	}
}

// Head implements [inspect.Header]. An absent Host names nobody: the request goes to the authorised target.
func (misdirectedRequest) Head(tx *inspect.Transaction, phase inspect.Phase, report inspect.Report) {
	if phase != inspect.Request || tx.Flow == nil || tx.Flow.Authorized.IsZero() || tx.Request.Host == "" {
		return
	}
	port := defaultPort(tx)
	allowed := tx.Flow.Authorized
	if allowed.Port == 0 {
		allowed.Port = port
	}
	asked, err := hostname.ParseAuthority(tx.Request.Host, port)
	if err == nil && asked == allowed {
		return
	}
	report(inspect.Match{
		Severity:   inspect.High,
		Confidence: 100,
		Detail:     "Host " + short(tx.Request.Host) + ", authorised " + allowed.String(),
	})
}

// defaultPort returns the port of a request whose Host names none (RFC 9110 sections 4.2.1 and 4.2.2).
func defaultPort(tx *inspect.Transaction) uint16 {
	scheme, _, _ := strings.Cut(tx.Request.URL, ":")
	switch strings.ToLower(scheme) {
	case "https", "wss":
		return 443
	case "http", "ws":
		return 80
	}
	if tx.Flow.Hello != nil {
		return 443
	}
	return 80
}
