/// "Did you mean …?" for a misspelled word.
enum Suggestion {
    /// A piece of sentence with the nearest candidate, or an empty one when none is near.
    static func text(for word: String, among candidates: [String]) -> String {
        let limit = max(2, word.count / 4)
        let nearest = candidates.map { (distance(word, $0), $0) }.min { $0 < $1 }
        guard let nearest, nearest.0 <= limit, nearest.0 < word.count else { return "" }
        return "; did you mean \(nearest.1)?"
    }

    /// Levenshtein's edit distance with neighbours swapped counted as one edit. Words of more than 64 characters
    /// are as far as can be.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        guard left.count <= 64, right.count <= 64 else { return .max }
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var row = [i + 1]
            for (j, b) in right.enumerated() {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a == b ? 0 : 1))
                if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, beforeLast[j - 1] + 1) }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[right.count]
    }
}
