package lookalike

import "strings"

// confusable is what a character looks like.
type confusable struct {
	letters string // lower-case ASCII letters or digits; the character itself, in UTF-8, when it looks like none
	off     uint8  // what it costs of the shape
}

// The tables below were written by hand after the method of UTS #39 (Unicode Security Mechanisms, section 4, version 15.1): no
// line of confusables.txt is copied, and they are neither complete nor a substitute for it. They hold characters that IDNA lets
// into a registrable name and that are drawn like a lower-case Latin letter or digit in the sans-serif faces of address bars.
// What is not here but is a letter under marks is found by its decomposition (Unicode Normalization, golang.org/x/text), and
// full-width, mathematical and ligature forms never come here: UTS #46 maps them when a name is parsed.
//
// Each word is an ASCII letter or two, a colon, and the characters that look like it.

// drawnAlike cannot be told from the letter by a hasty reader.
const drawnAlike = `
a:аɑαᴀⲁᎪ b:ɓьᏏᖯᏴꓐ c:сϲᴄⲥᏟƈꞓꓚ d:ԁɗɖᏧᑯᎠꓓᴅ e:еҽɇєᴇꬲꓰ f:ƒꞙꜰꓝ g:ɡցɢǥɠᶃᏀꓖԍ h:һհⱨɦᏂ i:ıіɩιɪⲓɨᎥꙇᵻꓲ j:јϳյɉʝȷᎫꓙ
k:ĸκкᴋⲕƙⱪқҝҟӄᏦꓗ l:ӏɫɬɭƚاוןᏞꓡⵏ m:мᴍⲙɱᎷꓟ n:ոɴпɲɳƞηꓠ o:оοօᴏဝⲟσɵө๐໐०০੦૦௦౦೦൦٥ہهסഠ〇ჿ୦၀ꓳ p:рρϱⲣƥᴘҏᏢꓑ q:ԛզɋʠ
r:гᴦʀɼɽɾⲅɍꭇᎡᏒꓣ s:ѕƽʂꜱᏚᏕꓢꙅ t:ƭŧτтᴛⲧƫʈᎢꓔ u:սʋʉᴜυꓴʊꞟ v:νѵᴠⱱᏙꓦ w:ԝաᴡɯⱳѡωᎳᏔꓪ x:хχҳⲭӽӿꓫ y:уүɣʏγỿƴⲩұყᎩꓬ z:ᴢƶȥʐʑᏃꓜ
ae:æӕ oe:œ bl:ы 3:зӡʒȝ 4:Ꮞ 6:б`

// drawnSimilar can, by a reader who looks, or only where the face has no descenders.
const drawnSimilar = `
b:βвъßʙⲃƀ c:ςҫȼ d:ðժđ e:ɛəǝεэ f:ք h:нђңʜҥћħӈ l:łլ丨 n:иπռղŋ o:θѳфø口ㅇ p:þ r:ւяғ t:տե u:μцע v:ʌ w:шщⲱ x:жҗ y:ч
z:ζ`

// confusables builds the look-up table.
func confusables() map[rune]confusable {
	table := make(map[rune]confusable, 512)
	for _, part := range []struct {
		text string
		off  uint8
	}{{drawnAlike, 0}, {drawnSimilar, offWeak}} {
		for word := range strings.FieldsSeq(part.text) {
			letters, like, _ := strings.Cut(word, ":")
			for _, c := range like {
				off := part.off
				if c < 0x100 {
					off = offLatin1
				}
				table[c] = confusable{letters, off}
			}
		}
	}
	return table
}

// canonicalCherokee folds the small Cherokee letters (U+AB70..U+ABBF) into the others, which UTS #46 takes for canonical.
func canonicalCherokee(c rune) rune {
	if 0xAB70 <= c && c <= 0xABBF {
		return c - 0xAB70 + 0x13A0
	}
	return c
}
