package app

import (
	"fmt"
	"path/filepath"
	"time"

	"weir/internal/ca"
	"weir/internal/config"
)

// caOptions are the settings of the certificate authority.
func caOptions(f *config.File) ca.Options {
	return ca.Options{CacheSize: f.CA.Cache, LeafLife: f.CA.LeafLifetime.Std(), Organization: f.CA.Organization}
}

// InitCA makes the CA and describes it; it is refused where one exists or once existed.
func InitCA(f *File) (AboutCA, error) {
	a, err := caOptions(f.File).Init(f.CADir())
	if err != nil {
		return AboutCA{}, err
	}
	return describeCA(f, a), nil
}

// AboutCA is what there is to tell about the CA; the JSON of `weir ca show`.
type AboutCA struct {
	Name      string    `json:"name"`
	File      string    `json:"file"` // the certificate
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// String is the form for people.
func (a AboutCA) String() string {
	return fmt.Sprintf("%s\nfile        %s\nsha256      %s\nvalid until %s", a.Name, a.File, a.SHA256, a.NotAfter.Format(time.DateOnly))
}

// ShowCA describes the CA.
func ShowCA(f *File) (AboutCA, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return AboutCA{}, err
	}
	return describeCA(f, a), nil
}

func describeCA(f *File, a *ca.Authority) AboutCA {
	c := a.Certificate()
	return AboutCA{
		Name: c.Subject.CommonName, File: filepath.Join(f.CADir(), ca.CertFile), SHA256: a.Fingerprint(), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
}

// ExportCA returns the CA's certificate as PEM.
func ExportCA(f *File) ([]byte, error) {
	a, err := caOptions(f.File).Load(f.CADir())
	if err != nil {
		return nil, err
	}
	return a.CertificatePEM(), nil
}
