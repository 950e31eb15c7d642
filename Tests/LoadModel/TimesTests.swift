import LoadModel
import Testing

@Suite struct `A histogram of durations` {
    @Test func `finds percentiles to 1.6 percent`() throws {
        var histogram = LatencyHistogram()
        for value in 1...100_000 { histogram.record(nanoseconds: Int64(value) * 1_000) }
        for (share, exact) in [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = try #require(histogram.milliseconds(at: share))
            #expect(found >= exact && found <= exact * 1.016, "\(share): \(found)")
        }
        #expect(histogram.count == 100_000 && histogram.maximumNanoseconds == 100_000_000)
        let mean = try #require(histogram.meanMilliseconds)
        #expect(abs(mean - 50) < 0.1)
    }

    @Test func `knows nothing of nothing, and takes any number`() {
        var histogram = LatencyHistogram()
        #expect(histogram.milliseconds(at: 0.5) == nil && histogram.meanMilliseconds == nil)
        histogram.record(nanoseconds: -5)
        #expect(histogram.milliseconds(at: 0.5) == 0)
        histogram.record(nanoseconds: .max)
        #expect(histogram.count == 2)
        #expect((histogram.milliseconds(at: 1) ?? 0) > 1e7)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 1_000, 4_095, 4_096, 1_000_000] as [Int64])
    func `gives a lone value back, never less and at most 1.6 percent more`(microseconds: Int64) throws {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: microseconds * 1_000)
        let found = (try #require(histogram.milliseconds(at: 0.5)) * 1_000).rounded()
        #expect(found >= Double(microseconds) && found <= Double(microseconds) * 1.016 + 0.001)
    }
}

@Suite struct `A pace` {
    @Test func `says when each message is due, and how many are`() {
        let pace = Pace(perSecond: 500, start: 1_000)
        #expect(pace.due(0) == 1_000 && pace.due(1) == 2_001_000 && pace.due(500) == 1_000_001_000)
        #expect(pace.count(at: 999) == 0 && pace.count(at: 1_000) == 1 && pace.count(at: 2_000_999) == 1 && pace.count(at: 2_001_000) == 2)
    }

    @Test(arguments: [0.3, 1, 333, 20_000, -1] as [Double])
    func `counts exactly what is due`(rate: Double) {
        let pace = Pace(perSecond: rate, start: 5)
        for number in stride(from: 0, to: 10_000, by: 37) {
            let due = pace.due(number)
            #expect(abs(pace.count(at: due) - (number + 1)) <= 1)
        }
    }
}
