import Logging
import Synchronization
import Testing

@testable import Bus

@Suite struct `A producer whose broker is away` {
    @Test func `refuses beyond its bound, and tells the fate of all that it took`() async throws {
        // Nobody listens on port 1.
        let configuration = BusConfiguration(
            bootstrap: "127.0.0.1:1", clientID: "test", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var settings = Producer.Settings()
        settings.maxQueuedRecords = 10
        settings.deliveryTimeoutMilliseconds = 300
        let (fates, receiver) = AsyncStream.makeStream(of: [UInt].self)
        let producer = try Producer(configuration, settings: settings) { deliveries in
            receiver.yield(deliveries.filter { $0.error != nil }.map(\.token))
        }
        let record = OutgoingRecord(topic: "t", key: "k", value: [1])
        for number in 1...10 { try producer.send(record, token: UInt(number)) }
        let refusal = #expect(throws: BusError.self) { try producer.send(record, token: 11) }
        #expect(refusal?.code == .queueFull && refusal?.isRetriable == true)
        var settled: [UInt] = []
        for await tokens in fates {
            settled += tokens
            if settled.count >= 10 { break }
        }
        #expect(settled.sorted() == Array(1...10))
        #expect(producer.outstanding == 0)
        try producer.send(record, token: 12)
        producer.close(timeoutMilliseconds: 50)
    }
}
