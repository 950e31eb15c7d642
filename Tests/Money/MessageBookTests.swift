import Pricing
import Testing

/// EMG's rules of money as tables of cases. Amounts are written as text.
@Suite struct `The book of a message` {
    static func money(_ text: String) -> Money { (try? Money(parsing: text)) ?? Money(micros: .min) }

    static func quote(_ charge: String, cost: String = "0") -> Quote {
        Quote(charge: money(charge), chargePriceID: 7, cost: money(cost), costPriceID: 8, currency: "EUR")
    }

    static func account(_ balance: String, postpaid: Bool = false, limit: String? = nil, policy: ChargePolicy = .send) -> PayingAccount {
        PayingAccount(
            userID: 1, username: "demo", charges: money(balance), isPostpaid: postpaid, postpaidLimit: limit.map(money), policy: policy)
    }

    struct Case: Sendable, CustomStringConvertible {
        var name: String
        var balance: String
        var reserved: String?
        var price: String
        var parts = 1
        var postpaid = false
        var limit: String?
        /// What is booked on receipt and on sending; nil = refused.
        var booked: (onReceipt: String?, onSending: String?)
        var after: String

        var description: String { name }
    }

    @Test(arguments: [
        Case(
            name: "default 0.02, real 0.05: 0.02 then 0.03", balance: "1", reserved: "0.02", price: "0.05", booked: ("-0.02", "-0.03"),
            after: "0.95"),
        Case(
            name: "real lower than default: the difference comes back", balance: "1", reserved: "0.05", price: "0.02",
            booked: ("-0.05", "0.03"), after: "0.98"),
        Case(name: "real equal to default", balance: "1", reserved: "0.05", price: "0.05", booked: ("-0.05", "0"), after: "0.95"),
        Case(
            name: "default once, real for each part", balance: "1", reserved: "0.02", price: "0.05", parts: 3, booked: ("-0.02", "-0.13"),
            after: "0.85"),
        Case(name: "balance exactly the price", balance: "0.05", price: "0.05", booked: (nil, "-0.05"), after: "0"),
        Case(name: "balance one millionth short", balance: "0.049999", price: "0.05", booked: (nil, nil), after: "0.049999"),
        Case(name: "balance exactly zero", balance: "0", price: "0.05", booked: (nil, nil), after: "0"),
        Case(name: "balance zero, price zero", balance: "0", price: "0", booked: (nil, "0"), after: "0"),
        Case(
            name: "balance exactly the default, and the price no more", balance: "0.02", reserved: "0.02", price: "0.02",
            booked: ("-0.02", "0"), after: "0"),
        Case(
            name: "the default fits, the difference does not: all comes back", balance: "0.04", reserved: "0.02", price: "0.05",
            booked: ("-0.02", nil), after: "0.04"),
        Case(name: "the default does not fit", balance: "0.01", reserved: "0.02", price: "0.005", booked: (nil, nil), after: "0.01"),
        Case(name: "below zero without allowpostpaid", balance: "-1", price: "0.05", booked: (nil, nil), after: "-1"),
        Case(name: "postpaid without a limit", balance: "0", price: "0.05", postpaid: true, booked: (nil, "-0.05"), after: "-0.05"),
        Case(
            name: "postpaid exactly to its limit", balance: "-99.95", price: "0.05", postpaid: true, limit: "-100", booked: (nil, "-0.05"),
            after: "-100"),
        Case(
            name: "postpaid at its limit", balance: "-100", price: "0.05", postpaid: true, limit: "-100", booked: (nil, nil), after: "-100"),
        Case(
            name: "postpaid at its limit, free", balance: "-100", price: "0", postpaid: true, limit: "-100", booked: (nil, "0"),
            after: "-100"),
    ])
    func books(_ test: Case) throws {
        var account = Self.account(test.balance, postpaid: test.postpaid, limit: test.limit)
        var book = MessageBook(msgid: 1)
        if let reserved = test.reserved {
            let entry = book.reserve(Self.money(reserved), account: &account)
            #expect(entry?.amount == test.booked.onReceipt.map(Self.money))
            guard entry != nil else {
                #expect(account.charges == Self.money(test.after))
                return
            }
        }
        let charging = book.charge(pass: 0, parts: test.parts, quote: Self.quote(test.price), account: &account)
        switch charging {
        case .charged(let standing, let entry):
            #expect(entry?.amount == test.booked.onSending.map(Self.money))
            #expect(standing.charge == (try Self.money(test.price).multiplied(by: test.parts)))
            #expect(standing.chargePriceID == 7 && standing.costPriceID == 8)
        case .refused(let why, _, let entry):
            #expect(test.booked.onSending == nil)
            #expect(why == "balance too low")
            #expect((entry == nil) == (test.reserved == nil))
        }
        #expect(account.charges == Self.money(test.after))
        // Asked again, with other prices: the same answer, and nothing moves.
        let before = account
        let again = book.charge(pass: 0, parts: 9, quote: Self.quote("9"), account: &account)
        switch (charging, again) {
        case (.charged(let first, _), .charged(let second, let entry)): #expect(first == second && entry == nil)
        case (.refused, .refused(_, _, let entry)): #expect(entry == nil)
        default: Issue.record("\(again) after \(charging)")
        }
        #expect(account == before)
    }

    @Test func `no price ends a message of an account with a balance, and gives back what was reserved`() {
        var account = Self.account("1")
        var book = MessageBook(msgid: 1)
        _ = book.reserve(Self.money("0.02"), account: &account)
        guard case .refused(let why, let standing, let entry) = book.charge(pass: 0, parts: 1, quote: nil, account: &account) else {
            Issue.record("charged without a price")
            return
        }
        #expect(why == "no price for this destination")
        #expect(entry?.amount == Self.money("0.02"))
        #expect(standing?.charge == .zero)
        #expect(account.charges == Self.money("1"))
    }

    @Test(
        "credits borrow across the decimal part, also below zero",
        arguments: [
            (1, 500_000, 1, false, 0, 500_000), (2, 0, 1, false, 1, 0), (1, 0, 1, false, 0, 0), (0, 999_999, 1, false, nil, nil),
            (3, 250_000, 3, false, 0, 250_000), (0, 500_000, 1, true, -1, 500_000), (0, 0, 2, true, -2, 0),
            (-1, 500_000, 1, true, -2, 500_000),
        ] as [(Int64, Int64, Int, Bool, Int64?, Int64?)])
    func credits(whole: Int64, millionths: Int64, parts: Int, postpaid: Bool, wholeAfter: Int64?, millionthsAfter: Int64?) throws {
        var account = PayingAccount(
            userID: 1, username: "c", charges: nil, credits: try #require(PayingAccount.join(whole: whole, millionths: millionths)),
            isPostpaid: postpaid, postpaidLimit: Money(micros: -1))
        var book = MessageBook(msgid: 1)
        let answer1 = book.reserve(Self.money("0.02"), account: &account)
        #expect(answer1 == nil, "a default charge is no matter of credits")
        let charging = book.charge(pass: 0, parts: parts, quote: nil, account: &account)
        let after = PayingAccount.split(credits: account.credits)
        if let wholeAfter, let millionthsAfter {
            #expect(after == (wholeAfter, millionthsAfter))
            guard case .charged(let standing, _) = charging else {
                Issue.record("refused")
                return
            }
            #expect(standing.charge == Money(micros: Int64(parts) * 1_000_000))
            #expect(standing.mechanism == .credits)
            // And back.
            _ = book.settle(.notSent, policy: .send, why: "refused", account: &account)
            #expect(PayingAccount.split(credits: account.credits) == (whole, millionths))
        } else {
            #expect(after == (whole, millionths))
        }
    }

    @Test(
        "what is given back, by policy and ending",
        arguments: [
            (ChargePolicy.accept, MessageBook.Ending.unpriced, "1", "0"), (.accept, .notSent, "0.95", "0"),
            (.accept, .notDelivered, "0.95", "0.03"),
            (.send, .unpriced, "1", "0"), (.send, .notSent, "1", "0"), (.send, .notDelivered, "0.95", "0.03"),
            (.delivery, .unpriced, "1", "0"), (.delivery, .notSent, "1", "0"), (.delivery, .notDelivered, "1", "0.03"),
        ] as [(ChargePolicy, MessageBook.Ending, String, String)])
    func refunds(policy: ChargePolicy, ending: MessageBook.Ending, balance: String, cost: String) {
        var account = Self.account("1", policy: policy)
        var book = MessageBook(msgid: 1)
        _ = book.reserve(Self.money("0.02"), account: &account)
        if ending != .unpriced { _ = book.charge(pass: 0, parts: 1, quote: Self.quote("0.05", cost: "0.03"), account: &account) }
        let settled = book.settle(ending, policy: policy, why: "x", account: &account)
        #expect(account.charges == Self.money(balance))
        if let settled {
            #expect(settled.0.charge == book.paid)
            #expect(settled.0.cost == Self.money(cost))
            // Once and for all.
            let answer2 = book.settle(ending, policy: policy, why: "again", account: &account)
            #expect(answer2?.1 == nil)
            #expect(account.charges == Self.money(balance))
        } else {
            #expect(ending == .notDelivered && policy != .delivery)
        }
    }

    @Test func `a second pass books the difference, in either direction, and never twice`() {
        var account = Self.account("1")
        var book = MessageBook(msgid: 1)
        for (pass, price, difference, balance) in [(0, "0.05", "-0.05", "0.95"), (1, "0.08", "-0.03", "0.92"), (2, "0.01", "0.07", "0.99")]
        {
            for _ in 0..<2 {
                guard
                    case .charged(let standing, let entry) = book.charge(pass: pass, parts: 1, quote: Self.quote(price), account: &account)
                else {
                    Issue.record("refused at pass \(pass)")
                    return
                }
                #expect(standing.charge == Self.money(price))
                if let entry { #expect(entry.amount == Self.money(difference)) }
                #expect(account.charges == Self.money(balance))
            }
        }
        #expect(book.entries.count == 3)
        // A replay of the first pass still says what it said then.
        guard case .charged(let first, nil) = book.charge(pass: 0, parts: 1, quote: nil, account: &account) else {
            Issue.record("not replayed")
            return
        }
        #expect(first.charge == Self.money("0.05"))
        _ = book.settle(.notSent, policy: .send, why: "all refused", account: &account)
        #expect(account.charges == Self.money("1"))
        #expect(book.paid == .zero)
    }

    @Test func `a second pass that the balance does not cover ends the message and gives all back`() {
        var account = Self.account("0.06")
        var book = MessageBook(msgid: 1)
        _ = book.charge(pass: 0, parts: 1, quote: Self.quote("0.05"), account: &account)
        guard
            case .refused("balance too low", let standing, let entry) = book.charge(
                pass: 1, parts: 1, quote: Self.quote("0.08"), account: &account)
        else {
            Issue.record("not refused")
            return
        }
        #expect(standing?.charge == .zero && entry?.amount == Self.money("0.05"))
        #expect(account.charges == Self.money("0.06"))
    }

    @Test(
        "npdus: other parts than were priced",
        arguments: [
            ("1", 2, 3, "-0.05", "0.85"), ("1", 3, 2, "0.05", "0.9"), ("0.12", 2, 3, "-0.02", "0"), ("0.1", 2, 3, "0", "0"),
        ])
    func parts(balance: String, priced: Int, sent: Int, booked: String, after: String) {
        var account = Self.account(balance)
        var book = MessageBook(msgid: 1)
        _ = book.charge(pass: 0, parts: priced, quote: Self.quote("0.05", cost: "0.01"), account: &account)
        let corrected = book.correct(priced: priced, sent: sent, account: &account)
        #expect(corrected?.1?.amount == Self.money(booked))
        #expect(corrected?.0.cost == (try? Self.money("0.01").multiplied(by: sent)))
        #expect(account.charges == Self.money(after))
        let answer3 = book.correct(priced: priced, sent: sent, account: &account)
        #expect(answer3?.1 == nil)
        #expect(account.charges == Self.money(after))
    }

    @Test func `a reservation is released once, and not when its message was priced`() {
        var account = Self.account("1")
        var book = MessageBook(msgid: 1)
        _ = book.reserve(Self.money("0.02"), account: &account)
        let answer4 = book.release("not accepted", account: &account)
        #expect(answer4?.amount == Self.money("0.02"))
        let answer5 = book.release("not accepted", account: &account)
        #expect(answer5 == nil)
        #expect(account.charges == Self.money("1"))
        // It was accepted after all: then the whole price is taken.
        _ = book.charge(pass: 0, parts: 1, quote: Self.quote("0.05"), account: &account)
        let answer6 = book.release("not accepted", account: &account)
        #expect(answer6 == nil)
        #expect(account.charges == Self.money("0.95") && book.paid == Self.money("0.05"))
    }

    @Test func `an account that changed its way to pay ends what is under way, and the old way gets its money back`() {
        var account = Self.account("1")
        var book = MessageBook(msgid: 1)
        _ = book.reserve(Self.money("0.02"), account: &account)
        account.charges = nil
        account.credits = Self.money("10")
        guard case .refused(_, _, let entry) = book.charge(pass: 0, parts: 1, quote: Self.quote("0.05"), account: &account) else {
            Issue.record("charged")
            return
        }
        // There is no balance any more that it could go to.
        #expect(entry == nil)
        #expect(account.credits == Self.money("10"))
    }

    @Test func `amounts that no column holds are refused, not cut`() {
        var account = Self.account("999999999999")
        var book = MessageBook(msgid: 1)
        guard case .refused(let why, _, _) = book.charge(pass: 0, parts: .max, quote: Self.quote("0.05"), account: &account) else {
            Issue.record("charged")
            return
        }
        #expect(why == "the price is too large")
        let answer7 = account.giveBack(Self.money("1"), .charges)
        #expect(!answer7)
        #expect(PayingAccount.join(whole: .max, millionths: 0) == nil)
    }

    /// Whatever order things come in, and however often: the balance is what it was less what is paid, and prepaid never below zero.
    @Test func `random lives of messages add up`() {
        var generator = Generator(state: 0x5eed)
        for _ in 0..<2_000 {
            let start = Money(micros: Int64.random(in: 0...200_000, using: &generator))
            var account = PayingAccount(
                userID: 1, username: "r", charges: start, policy: ChargePolicy.allCases.randomElement(using: &generator) ?? .send)
            var books = (0..<4).map { MessageBook(msgid: Int64($0)) }
            for _ in 0..<Int.random(in: 1...25, using: &generator) {
                let index = books.indices.randomElement(using: &generator) ?? 0
                let price = Quote(
                    charge: Money(micros: Int64.random(in: 0...60_000, using: &generator)), chargePriceID: 1, cost: .zero, costPriceID: nil,
                    currency: "EUR")
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: _ = books[index].reserve(Money(micros: Int64.random(in: 0...30_000, using: &generator)), account: &account)
                case 1: _ = books[index].release("x", account: &account)
                case 2: _ = books[index].settle(.notSent, policy: account.policy, why: "x", account: &account)
                case 3: _ = books[index].settle(.notDelivered, policy: account.policy, why: "x", account: &account)
                case 4: _ = books[index].correct(priced: 2, sent: Int.random(in: 1...4, using: &generator), account: &account)
                default:
                    _ = books[index].charge(
                        pass: Int.random(in: 0...3, using: &generator), parts: 2, quote: price, account: &account)
                }
                let paid = books.reduce(Int64(0)) { $0 + $1.paid.micros }
                #expect(account.charges == Money(micros: start.micros - paid))
                #expect((account.charges ?? .zero) >= .zero)
                #expect(books.allSatisfy { $0.paid >= .zero })
                for book in books { #expect(Set(book.entries.map(\.kind)).count == book.entries.count) }
            }
        }
    }

    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) << 32 | (state &* 0x9E37_79B9_7F4A_7C15) >> 32
        }
    }
}
