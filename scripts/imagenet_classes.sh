#!/bin/sh
# Rebuilds the names in assets/imagenet_classes.tsv from the WordNet ids in its first column.
# Needs Debian's wordnet-base (WordNet 3.0). With --check it writes nothing and fails when the file
# is not what this script would write.
#
# A name is the first lemma of the synset, underscores to spaces. Where two classes share it (there
# are two cranes and two maillots), the first lemma of what the synset is a kind of follows in
# brackets, so that no two labels are equal.
set -eu
wordnet=${WORDNET:-/usr/share/wordnet/data.noun}
table=$(dirname "$0")/../assets/imagenet_classes.tsv
if [ ! -r "$wordnet" ]; then
  echo "$wordnet is not there: apt-get install wordnet-base" >&2
  exit 1
fi
rebuilt=$(mktemp)
trap 'rm -f "$rebuilt"' EXIT

# A line of data.noun: offset, file, type, number of lemmas in hex, lemma, lexical id, …, pointers.
awk -F '\t' '
  NR == FNR { id[++count] = $1; next }
  {
    split($0, field, " ")
    lemma = field[5]
    gsub("_", " ", lemma)
    first["n" field[1]] = lemma
    # "@" is the pointer to what it is a kind of (hypernym); the offset follows.
    for (i = 6; field[i] != "|" && i < 400; ++i) {
      if (field[i] == "@" && !(("n" field[1]) in kind)) kind["n" field[1]] = "n" field[i + 1]
    }
    delete field
  }
  END {
    for (i = 1; i <= count; ++i) ++uses[first[id[i]]]
    for (i = 1; i <= count; ++i) {
      if (!(id[i] in first)) { print "no synset " id[i] > "/dev/stderr"; exit 1 }
      name = first[id[i]]
      if (uses[name] > 1) name = name " (" first[kind[id[i]]] ")"
      print id[i] "\t" name
    }
  }' "$table" "$wordnet" > "$rebuilt"

if [ "${1:-}" = --check ]; then
  diff "$table" "$rebuilt"
else
  cp "$rebuilt" "$table"
fi
