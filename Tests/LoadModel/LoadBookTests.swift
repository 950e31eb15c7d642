import LoadModel
import Testing

@Suite struct `The load's book` {
    private let first: UInt64 = 461_000_000_000

    private func book(_ count: Int, finish: LoadBook.Finish = .report, parts: Int = 1) -> LoadBook {
        var book = LoadBook(firstDestination: first, finish: finish, parts: parts)
        for number in 0..<count { #expect(book.send(at: Int64(number + 1) * 100) == number) }
        return book
    }

    private func arrival(_ number: Int, at time: UInt64, part: UInt8 = 1, parts: UInt8 = 1, isTaken: Bool = true) -> ArrivalRecord {
        ArrivalRecord(destination: first + UInt64(number), nanoseconds: time, part: part, parts: parts, isTaken: isTaken)
    }

    @Test func `a message is finished when its report is there`() {
        var book = book(2)
        book.accept(0, id: 77, at: 500)
        book.arrive(arrival(0, at: 600))
        #expect(book.finished == 0 && book.complete == 1 && book.inFlight == 2 && book.unanswered == 1)
        book.report(id: 77, destination: first, isDelivered: true, at: 900)
        #expect(book.finished == 1 && book.inFlight == 1)
        book.refuse(1, status: 0x58)
        #expect(book.inFlight == 0 && book.unanswered == 0 && book.refusals == [0x58: 1])
        let times = book.latencies(sentIn: 0..<1_000)
        #expect(times.answer.count == 1 && times.arrival.count == 1 && times.report.count == 1)
        #expect(book.counts(in: 500..<900) == (1, 0))
        #expect(book.counts(in: 500..<901) == (1, 1))
    }

    @Test func `without reports a message is finished when the provider has all its parts`() {
        var book = book(1, finish: .arrival, parts: 3)
        book.accept(0, id: 1, at: 200)
        book.arrive(arrival(0, at: 300, part: 2, parts: 3))
        book.arrive(arrival(0, at: 310, part: 1, parts: 3))
        #expect(book.finished == 0 && book.arrivedAt == [300])
        book.arrive(arrival(0, at: 320, part: 3, parts: 3))
        #expect(book.finished == 1 && book.completeAt == [320] && book.providerDuplicates == 0)
        #expect(book.arrivalSpan(after: 0)?.count == 1)
    }

    @Test func `a report that overtakes the answer finds its message`() {
        var book = book(1)
        book.report(id: 5, destination: first, isDelivered: true, at: 150)
        book.report(id: 5, destination: first, isDelivered: true, at: 160)
        #expect(book.unknownReports == 1 && book.reported == 0)
        book.accept(0, id: 5, at: 170)
        #expect(book.unknownReports == 0 && book.reported == 1 && book.duplicateReports == 1 && book.reportedAt == [150])
    }

    @Test func `whatever comes twice, from nowhere or mixed up is counted`() {
        var book = book(2)
        book.accept(0, id: 5, at: 200)
        book.accept(1, id: 5, at: 210)
        #expect(book.badIDs == 1)
        book.arrive(arrival(0, at: 300))
        book.arrive(arrival(0, at: 301))
        book.arrive(arrival(1, at: 302, isTaken: false))
        book.arrive(arrival(2, at: 303))
        book.arrive(ArrivalRecord(destination: 0, nanoseconds: 304))
        #expect(book.providerDuplicates == 1 && book.providerRefusals == 1 && book.strangers == 2 && book.complete == 1)
        book.report(id: 5, destination: first + 1, isDelivered: false, at: 400)
        book.report(id: 5, destination: first, isDelivered: true, at: 401)
        book.report(id: 6, destination: first, isDelivered: true, at: 402)
        book.strangeReport()
        #expect(book.mixedUp == 1 && book.undelivered == 1 && book.duplicateReports == 1 && book.unknownReports == 2)
    }
}

@Suite struct `A record of an arrival` {
    @Test func `survives the file, cut anywhere`() {
        let records = (0..<5).map {
            ArrivalRecord(destination: 46_100_000 + $0, nanoseconds: 1 << 50 + $0, part: 2, parts: 3, isTaken: $0 % 2 == 0)
        }
        var octets: [UInt8] = []
        for record in records { record.encode(into: &octets) }
        #expect(octets.count == 5 * ArrivalRecord.octets)
        for cut in 0...octets.count {
            var found: [ArrivalRecord] = []
            var bytes = Array(octets[..<cut])
            ArrivalRecord.take(from: &bytes) { found.append($0) }
            #expect(bytes.count == cut % ArrivalRecord.octets)
            bytes += octets[cut...]
            ArrivalRecord.take(from: &bytes) { found.append($0) }
            #expect(found == records && bytes.isEmpty)
        }
    }

    @Test(
        arguments: [("46701234567", 46_701_234_567), ("+467", 467), ("", 0), ("4670x", 0), ("12345678901234567890", 0), ("Alpha", 0)]
            as [(String, UInt64)])
    func `reads numbers, and nothing else`(text: String, value: UInt64) {
        #expect(decimalValue(text.utf8) == value)
    }
}
