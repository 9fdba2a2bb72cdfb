package filetype

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// far says where, behind the head, lies what decides: at octets at..at+n of the file, judged by is. It is zero when nothing
// there could change the answer.
type far struct {
	kind Kind
	at   int64
	is   func([]byte) bool
}

// beyond returns what to look at behind a head of HeadSize octets that is of no kind of want so far.
func beyond(head []byte, want Kinds) far {
	switch {
	case want.Has(PE) && hasMZ(head):
		return far{PE, int64(binary.LittleEndian.Uint32(head[60:])), isPEHeader}
	case want.Has(MSI) && isCompound(head):
		return far{MSI, rootClass(head), isInstallerClass}
	}
	return far{}
}

// mzHeader is the size of the DOS header whose last field, e_lfanew, points to the PE header (Microsoft PE format, "MS-DOS stub").
const mzHeader = 64

// peSight is how much of a PE header is looked at: signature, COFF header, magic of the optional header.
const peSight = 4 + 20 + 2

// maxLfanew is where the Windows loader gives up looking for the PE header (256 MiB).
const maxLfanew = 256 << 20

func hasMZ(head []byte) bool { return len(head) >= mzHeader && head[0] == 'M' && head[1] == 'Z' }

func isPE(head []byte) bool {
	if !hasMZ(head) {
		return false
	}
	at := binary.LittleEndian.Uint32(head[60:])
	return at >= 4 && at < maxLfanew && int64(at)+peSight <= int64(len(head)) && isPEHeader(head[at:])
}

// isPEHeader checks what the loader checks too: signature, machine, number of sections, kind of optional header.
func isPEHeader(p []byte) bool {
	if len(p) < peSight || string(p[:4]) != "PE\x00\x00" {
		return false
	}
	machine, sections := binary.LittleEndian.Uint16(p[4:]), binary.LittleEndian.Uint16(p[6:])
	optional := binary.LittleEndian.Uint16(p[24:])
	return slices.Contains(peMachines[:], machine) && sections <= 96 && (optional == 0x10b || optional == 0x20b || optional == 0x107)
}

// peMachines are the IMAGE_FILE_MACHINE values of systems that exist: i386, MIPS, ARM, Thumb, ARMv7, PowerPC, Itanium, EBC,
// RISC-V 32 and 64, LoongArch 64, x86-64, ARM64EC, ARM64X, ARM64.
var peMachines = [...]uint16{
	0x14c, 0x166, 0x169, 0x1c0, 0x1c2, 0x1c4, 0x1f0, 0x200, 0xebc, 0x5032, 0x5064, 0x6264, 0x8664, 0xa641, 0xa64e, 0xaa64,
}

// isDOS tells a program from text that begins with MZ by the words that linkers put into the stub.
func isDOS(head []byte) bool {
	return hasMZ(head) && (bytes.Contains(head, []byte("cannot be run in DOS mode")) ||
		bytes.Contains(head, []byte("must be run under Win")) || bytes.Contains(head, []byte("requires Microsoft Windows")))
}

// isELF checks file type and machine in either octet order: the Linux kernel runs files whose class, data and version octets
// are nonsense, so those prove nothing (System V gABI chapter 4; fs/binfmt_elf.c reads e_type and e_machine only).
func isELF(head []byte) bool {
	if len(head) < 20 || string(head[:4]) != "\x7fELF" {
		return false
	}
	return elfFields(head, binary.LittleEndian) || elfFields(head, binary.BigEndian)
}

// elfFields: type 1 to 4 (relocatable, executable, shared, core); machines are assigned up to 264, but for Alpha's 0x9026.
func elfFields(head []byte, order binary.ByteOrder) bool {
	kind, machine := order.Uint16(head[16:]), order.Uint16(head[18:])
	return kind >= 1 && kind <= 4 && machine != 0 && (machine <= 512 || machine == 0x9026)
}

// isMachO knows thin files in both octet orders and universal ones (mach-o/loader.h, mach-o/fat.h).
func isMachO(head []byte) bool {
	if len(head) < 28 {
		return false
	}
	switch binary.BigEndian.Uint32(head) {
	case 0xfeedface, 0xfeedfacf:
		return machFields(head, binary.BigEndian)
	case 0xcefaedfe, 0xcffaedfe:
		return machFields(head, binary.LittleEndian)
	case 0xcafebabe, 0xcafebabf:
		return fatFields(head, binary.BigEndian)
	case 0xbebafeca, 0xbfbafeca:
		return fatFields(head, binary.LittleEndian)
	}
	return false
}

// machFields: file types are assigned 1 to 12, and every file has load commands of 8 octets at least.
func machFields(head []byte, order binary.ByteOrder) bool {
	kind, commands, size := order.Uint32(head[12:]), order.Uint32(head[16:]), order.Uint32(head[20:])
	return machCPU(order.Uint32(head[4:])) && kind >= 1 && kind <= 12 && commands >= 1 && size/8 >= commands
}

// fatFields tells a universal file from Java byte code, which has the same magic: Java's version stands where the number of
// architectures does, and is 45 or more; and its constant pool is no list of known processors.
func fatFields(head []byte, order binary.ByteOrder) bool {
	n := order.Uint32(head[4:])
	return n >= 1 && n < 45 && machCPU(order.Uint32(head[8:]))
}

// machCPU knows VAX 1, 68k 6, x86 7, MIPS 8, 98k 10, PA-RISC 11, ARM 12, 88k 13, SPARC 14, i860 15, PowerPC 18, and their 64-bit
// (0x01000000) and 64-bit-with-32-bit-pointers (0x02000000) variants.
func machCPU(cpu uint32) bool {
	return cpu>>24 <= 2 && slices.Contains([]uint32{1, 6, 7, 8, 10, 11, 12, 13, 14, 15, 18}, cpu&0xffffff)
}

// isDEX checks magic, version, header size and octet order (Android, "Dalvik executable format").
func isDEX(head []byte) bool {
	if len(head) < 44 || string(head[:4]) != "dex\n" || head[7] != 0 {
		return false
	}
	for _, c := range head[4:7] {
		if c < '0' || c > '9' {
			return false
		}
	}
	order := binary.LittleEndian.Uint32(head[40:])
	return order == 0x12345678 || order == 0x78563412
}

// isShortcut checks header size and class (MS-SHLLINK section 2.1).
func isShortcut(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x4c\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"))
}

// isCompound checks signature, major version, octet order and sector size (MS-CFB section 2.2).
func isCompound(head []byte) bool {
	if len(head) < 52 || string(head[:8]) != "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" {
		return false
	}
	version, shift := binary.LittleEndian.Uint16(head[26:]), binary.LittleEndian.Uint16(head[30:])
	return head[28] == 0xfe && head[29] == 0xff && (version == 3 && shift == 9 || version == 4 && shift == 12)
}

// classSize is the size of a CLSID.
const classSize = 16

// rootClass returns where the class of a compound file's root stands: in the first entry of the first directory sector.
func rootClass(head []byte) int64 {
	const inEntry = 80 // MS-CFB section 2.6.1
	sector, shift := binary.LittleEndian.Uint32(head[48:]), binary.LittleEndian.Uint16(head[30:])
	return (int64(sector)+1)<<shift + inEntry
}

func isMSI(head []byte) bool {
	if !isCompound(head) {
		return false
	}
	at := rootClass(head)
	return at+classSize <= int64(len(head)) && isInstallerClass(head[at:])
}

// isInstallerClass knows the classes 000C1082 (transform), 000C1084 (package) and 000C1086 (patch) of Windows Installer.
func isInstallerClass(p []byte) bool {
	return len(p) >= classSize && (p[0] == 0x82 || p[0] == 0x84 || p[0] == 0x86) &&
		string(p[1:classSize]) == "\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"
}
