package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/app"
)

// TestTransferSecret: a secret that cannot be read or used is a problem of the config, with its place and without the secret.
func TestTransferSecret(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, secret, want string }{
		{"good", "MDEyMzQ1Njc4OWFiY2RlZg==\n", ""},
		{"missing", "", "no such file"},
		{"short", "c2hvcnQ=\n", "16 octets or more in base64"},
		{"no base64", "key \"weir\" { secret \"MDEyMzQ1Njc4OWFiY2RlZg==\"; };\n", "16 octets or more in base64"},
		{"huge", strings.Repeat("A", 5000), "more than 4096 octets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			secret, path := filepath.Join(dir, "tsig"), filepath.Join(dir, "weir.yaml")
			if tc.secret != "" {
				if err := os.WriteFile(secret, []byte(tc.secret), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text := "data_dir: " + dir + "\nlists:\n  - name: zone\n    transfer:\n      servers: [127.0.0.1:1]\n      zone: rpz.test\n      tsig:\n        name: weir\n        secret_file: " + secret + "\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := app.Load(path)
			if err == nil {
				err = app.Validate(t.Context(), f)
			}
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want == "":
			case !app.IsProblem(err) || len(app.Problems(err)) != 1:
				t.Errorf("%v", err)
			case !strings.Contains(app.Problems(err)[0], "weir.yaml:9:22: lists[0].transfer.tsig.secret_file: ") || !strings.Contains(app.Problems(err)[0], tc.want):
				t.Errorf("%s, want %s", app.Problems(err)[0], tc.want)
			case strings.Contains(app.Problems(err)[0], "MDEy"):
				t.Error("the secret is told")
			}
		})
	}
}
