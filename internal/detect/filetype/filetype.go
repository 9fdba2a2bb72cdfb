// Package filetype tells by their first octets what computers run: executables and scripts. It asks for structure, not for a
// magic number alone, wherever the format has some, for its callers block on what it says. Formats that are not run (images,
// archives, documents) are of no interest to it. It reads a head of [HeadSize] octets and, in files whose header points further,
// a few octets there.
package filetype

// HeadSize is how many octets from the begin are looked at: enough for the headers of all formats as linkers write them (those
// of PE end below 512) and for the first lines of a script.
const HeadSize = 1024

// Kind is a kind of executable or script. The zero Kind is none of them.
type Kind uint8

// The kinds.
const (
	None          Kind = iota
	PE                 // Windows executable, library or driver; UEFI program
	DOS                // MZ with the stub text of a Windows program, but no PE header where it should be
	ELF                // Linux, BSD and embedded systems
	MachO              // macOS and iOS, thin and universal
	DEX                // Android byte code
	Shortcut           // Windows shell link, .lnk
	MSI                // Windows Installer package, patch or transform; told only where Compound is not wanted
	Compound           // any OLE compound file: MSI, but also Office documents before 2007
	Shebang            // #! and an interpreter that we know
	Batch              // Windows command script
	PowerShell         // PowerShell source, by its words
	WindowsScript      // VBScript or JScript for Windows Script Host, by its words
	HTA                // HTML application
	Scriptlet          // Windows scriptlet, .sct
	kinds
)

// String says what k is, for people.
func (k Kind) String() string {
	if k >= kinds {
		return "invalid"
	}
	return [kinds]string{
		"no executable", "PE executable", "DOS executable", "ELF executable", "Mach-O executable", "DEX executable",
		"Windows shortcut", "Windows Installer package", "OLE compound file", "script", "batch file", "PowerShell script",
		"Windows script", "HTML application", "Windows scriptlet",
	}[k]
}

// Kinds is a set of kinds.
type Kinds uint16

// The sets that belong together.
const (
	Native  = Kinds(1<<PE | 1<<DOS | 1<<ELF | 1<<MachO | 1<<DEX)
	Scripts = Kinds(1<<Shebang | 1<<Batch | 1<<PowerShell | 1<<WindowsScript | 1<<HTA | 1<<Scriptlet)
	All     = Native | Scripts | Kinds(1<<Shortcut|1<<MSI|1<<Compound)
)

// Of returns the set of the given kinds.
func Of(list ...Kind) Kinds {
	var s Kinds
	for _, k := range list {
		s |= 1 << k
	}
	return s
}

// Has says whether k is in s.
func (s Kinds) Has(k Kind) bool { return s>>k&1 != 0 }

// Without returns s without k.
func (s Kinds) Without(k Kind) Kinds { return s &^ (1 << k) }

// Identify returns the first kind of want that head, the first octets of a file, is; None when it is none, or when the head is
// too short to say so. Whole says that head is all there is. Octets behind HeadSize are not looked at. An answer other than None
// stands for every longer head of the same file, but for [DOS] and the kinds known by their words, which are told from a head
// of HeadSize octets or a whole file.
func Identify(head []byte, whole bool, want Kinds) Kind {
	head = head[:min(len(head), HeadSize)]
	whole = whole || len(head) == HeadSize
	if k := native(head, whole, want); k != None {
		return k
	}
	if want&Scripts == 0 {
		return None
	}
	if want.Has(Shebang) && shebang(head, whole) {
		return Shebang
	}
	return byWords(head, whole, want)
}

func native(head []byte, whole bool, want Kinds) Kind {
	for _, f := range [...]struct {
		kind Kind
		is   func([]byte) bool
	}{
		{PE, isPE}, {ELF, isELF}, {MachO, isMachO}, {DEX, isDEX}, {Shortcut, isShortcut}, {Compound, isCompound}, {MSI, isMSI},
	} {
		if want.Has(f.kind) && f.is(head) {
			return f.kind
		}
	}
	if whole && want.Has(DOS) && isDOS(head) {
		return DOS
	}
	return None
}
