import Foundation
import FuzzTargets
import Testing

/// The short run of `make fuzz`: the committed corpus, and mutations of it that are the same in every run.
@Suite struct ReplayTests {
    private static let executions = 20_000

    /// The committed inputs, by target, in the order of their names.
    private static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
        let folder = try #require(Bundle.module.url(forResource: "corpus", withExtension: nil)).appendingPathComponent(target.rawValue)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.map { [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))) }
    }

    @Test(arguments: FuzzTarget.allCases)
    func `the corpus and its mutations break nothing`(target: FuzzTarget) throws {
        let corpus = try Self.corpus(target)
        #expect(corpus.count >= 5)
        for input in corpus { input.withUnsafeBytes { target.run($0) } }
        var random = SplitMix(seed: 0x5EED)
        for _ in 0..<Self.executions {
            var input = corpus[Int(random.next() % UInt64(corpus.count))]
            for _ in 0...Int(random.next() % 6) { Self.mutate(&input, with: corpus, &random) }
            input.withUnsafeBytes { target.run($0) }
        }
    }

    private static func mutate(_ input: inout [UInt8], with corpus: [[UInt8]], _ random: inout SplitMix) {
        func place(_ count: Int) -> Int { count == 0 ? 0 : Int(random.next() % UInt64(count)) }
        switch random.next() % 7 {
        case 0: if !input.isEmpty { input[place(input.count)] = UInt8(truncatingIfNeeded: random.next()) }
        case 1: if !input.isEmpty { input[place(input.count)] ^= 1 << UInt8(random.next() % 8) }
        case 2: if !input.isEmpty { input.remove(at: place(input.count)) }
        case 3: input.insert(UInt8(truncatingIfNeeded: random.next()), at: place(input.count + 1))
        case 4: input = Array(input.prefix(place(input.count + 1)))
        case 5: if !input.isEmpty { input[place(input.count)] = [0, 1, 0x7F, 0x80, 0xFF, 0x1B][place(6)] }
        default:
            let other = corpus[place(corpus.count)]
            input = Array(input.prefix(place(input.count + 1))) + other.dropFirst(place(other.count + 1))
        }
        if input.count > 4_096 { input = Array(input.prefix(4_096)) }
    }
}

private struct SplitMix {
    private var state: UInt64
    init(seed: UInt64) { self.state = seed }
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
