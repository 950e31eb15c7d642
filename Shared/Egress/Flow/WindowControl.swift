public import Configuration

/// How many submits of one session may be unanswered: WINDOWSIZE, or found by climbing while it helps. Pure.
///
/// `auto` judges once per epoch, which is as many answers as the window holds, and at least 200 ms. A window that was never full says
/// nothing. A full one grows by a quarter while the rate of answers grows with it and answers do not take noticeably longer; where the
/// last growth brought nothing it goes back and stays for some epochs; where answers take three times as long as the fastest lately,
/// or the rate falls by a fifth, it shrinks by a fifth: then messages only wait at the provider instead of in our queue.
public struct WindowControl {
    static let smallest = 2
    static let first = 10
    public static let largest = 500
    private static let epochMilliseconds: Int64 = 200
    private static let restEpochs = 10
    /// The fastest round trip is that of the last one to two spans of so many epochs: routes change.
    private static let memoryEpochs = 50

    public let isAutomatic: Bool
    public private(set) var size: Int
    private var previous: Int?
    private var previousRate = 0.0
    private var rest = 0
    private var epochBegan: Int64
    private var answers = 0
    private var roundTrips: Int64 = 0
    private var wasFull = false
    private var fastest = Double.infinity
    private var fastestOfSpan = Double.infinity
    private var epochsOfSpan = 0

    public init(_ wanted: ConnectorConfiguration.WindowSize, now: Int64) {
        epochBegan = now
        switch wanted {
        case .fixed(let number):
            isAutomatic = false
            size = max(1, number)
        case .automatic:
            isAutomatic = true
            size = WindowControl.first
        }
    }

    /// The most that `size` can become: what the session must have room for.
    public var limit: Int { isAutomatic ? WindowControl.largest : size }

    /// Whether another submit may go out.
    public mutating func hasRoom(outstanding: Int) -> Bool {
        guard outstanding >= size else { return true }
        wasFull = true
        return false
    }

    /// - Parameter roundTrip: from the submit to its answer, in milliseconds.
    public mutating func answered(roundTrip: Int64, now: Int64) {
        guard isAutomatic else { return }
        answers += 1
        roundTrips += max(0, roundTrip)
        let elapsed = now - epochBegan
        guard answers >= size, elapsed >= WindowControl.epochMilliseconds else { return }
        judge(rate: Double(answers) * 1_000 / Double(elapsed), roundTrip: Double(roundTrips) / Double(answers))
        epochBegan = now
        answers = 0
        roundTrips = 0
        wasFull = false
    }

    private mutating func judge(rate: Double, roundTrip: Double) {
        fastestOfSpan = min(fastestOfSpan, roundTrip)
        fastest = min(fastest, roundTrip)
        epochsOfSpan += 1
        if epochsOfSpan >= WindowControl.memoryEpochs {
            fastest = fastestOfSpan
            fastestOfSpan = .infinity
            epochsOfSpan = 0
        }
        guard wasFull else {
            previous = nil
            return
        }
        defer { previousRate = rate }
        if roundTrip > 3 * fastest + 10 || (previousRate > 0 && rate < 0.8 * previousRate) {
            size = max(WindowControl.smallest, size * 4 / 5)
            previous = nil
            rest = WindowControl.restEpochs / 2
        } else if let before = previous, rate < 1.03 * previousRate {
            size = before
            previous = nil
            rest = WindowControl.restEpochs
        } else if rest > 0 {
            rest -= 1
        } else if size < WindowControl.largest {
            previous = size
            size = min(WindowControl.largest, size + max(1, size / 4))
        }
    }
}
