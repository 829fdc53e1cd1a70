package pairing

import (
	_ "embed" // the list of words
	"slices"
	"strings"
)

// wordList has 1024 words, one a line in rising order: of 4 to 7 letters, no
// two with the same first four, and no two that one wrong letter makes alike.
//
//go:embed words.txt
var wordList string

const (
	wordCount = 1 << wordBits
	wordBits  = 10
	wordStem  = 4 // letters that tell words apart
)

func words() []string { return strings.Fields(wordList) }

// wordIndex returns the place of a word that somebody typed, whole or at least
// its first four letters, and -1 where there is none.
func wordIndex(typed string) int {
	if len(typed) < wordStem {
		return -1
	}
	list := words()
	i, _ := slices.BinarySearch(list, typed[:wordStem])
	if i < len(list) && strings.HasPrefix(list[i], typed) {
		return i
	}
	return -1
}

// nearest returns the word with the fewest letters that differ from typed, ""
// where more than two do.
func nearest(typed string) string {
	best, most := "", 3
	if len(typed) > 16 {
		return best
	}
	for _, w := range words() {
		if d := distance(w, typed); d < most {
			best, most = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
