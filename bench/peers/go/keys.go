package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// keyring knows API keys by their digests alone. An entry is found by the first bytes of the digest,
// which tell nothing of a key, and compared whole in constant time.
type keyring struct {
	digests map[[8]byte][sha256.Size]byte
}

func loadKeys(path string) (*keyring, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	keys := &keyring{digests: make(map[[8]byte][sha256.Size]byte)}
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return keys, lines.Err()
		}
		digest, err := hex.DecodeString(strings.TrimSpace(lines.Text()))
		if err != nil || len(digest) != sha256.Size {
			return nil, fmt.Errorf("%s: every line is a SHA-256 in hexadecimal", path)
		}
		keys.digests[[8]byte(digest)] = [sha256.Size]byte(digest)
	}
}

// allows tells whether an Authorization header's value bears a key of the ring.
func (k *keyring) allows(authorization string) bool {
	key, isBearer := strings.CutPrefix(authorization, "Bearer ")
	if !isBearer {
		return false
	}
	presented := sha256.Sum256([]byte(key))
	known, found := k.digests[[8]byte(presented[:])]
	return found && subtle.ConstantTimeCompare(known[:], presented[:]) == 1
}
