/// A user data header (3GPP TS 23.040 §9.2.3.24): information elements in their order, unknown ones kept.
public struct UserDataHeader: Sendable, Hashable {
    public struct Element: Sendable, Hashable {
        /// 0x00 concatenation with 8 bits of reference, 0x08 with 16, 0x04 and 0x05 ports, ...
        public var identifier: UInt8
        public var data: [UInt8]

        public init(identifier: UInt8, data: [UInt8]) {
            self.identifier = identifier
            self.data = data
        }

        /// Whether it names a national table.
        public var announcesTable: Bool {
            self.identifier == UserDataHeader.singleShift || self.identifier == UserDataHeader.lockingShift
        }
    }

    /// Which part of a long message this is.
    public struct Concatenation: Sendable, Hashable {
        public var reference: UInt16
        /// 1 to 255.
        public var total: UInt8
        /// 1 to `total`.
        public var sequence: UInt8
        /// Whether the reference has 16 bits: parts with 8 and with 16 bits never belong together.
        public var isWide: Bool

        public init(reference: UInt16, total: UInt8, sequence: UInt8, isWide: Bool) {
            self.reference = reference
            self.total = total
            self.sequence = sequence
            self.isWide = isWide
        }
    }

    /// Element identifiers (§9.2.3.24): concatenation with 8 and 16 bits of reference, and the national tables.
    static let concatenation8: UInt8 = 0x00
    static let concatenation16: UInt8 = 0x08
    static let singleShift: UInt8 = 0x24
    static let lockingShift: UInt8 = 0x25

    public var elements: [Element]

    public init(elements: [Element]) { self.elements = elements }

    public init(_ part: Concatenation) {
        let low = UInt8(truncatingIfNeeded: part.reference)
        if part.isWide {
            let high = UInt8(truncatingIfNeeded: part.reference >> 8)
            self.elements = [Element(identifier: Self.concatenation16, data: [high, low, part.total, part.sequence])]
        } else {
            self.elements = [Element(identifier: Self.concatenation8, data: [low, part.total, part.sequence])]
        }
    }

    /// Reads the header at the start of `userData`.
    /// - Returns: the header, and how many octets it takes with its length octet; nil when it does not fit.
    public static func parse(_ userData: [UInt8]) -> (header: UserDataHeader, octets: Int)? {
        guard let length = userData.first.map(Int.init), userData.count > length else { return nil }
        var elements: [Element] = []
        var index = 1
        while index <= length {
            guard index + 1 <= length else { return nil }
            let end = index + 2 + Int(userData[index + 1])
            guard end <= length + 1 else { return nil }
            elements.append(Element(identifier: userData[index], data: Array(userData[index + 2..<end])))
            index = end
        }
        return (UserDataHeader(elements: elements), length + 1)
    }

    /// The octets, the length octet first; empty when the header has no elements or more than 255 octets of them.
    public var octets: [UInt8] {
        var body: [UInt8] = []
        for element in self.elements {
            guard let length = UInt8(exactly: element.data.count) else { return [] }
            body += [element.identifier, length] + element.data
        }
        guard let length = UInt8(exactly: body.count), length > 0 else { return [] }
        return [length] + body
    }

    /// The concatenation element that counts: the last valid one (§9.2.3.24). Zero or impossible numbers are ignored.
    public var concatenation: Concatenation? {
        for element in self.elements.reversed() {
            let data = element.data
            let part: Concatenation
            switch (element.identifier, data.count) {
            case (Self.concatenation8, 3): part = .init(reference: UInt16(data[0]), total: data[1], sequence: data[2], isWide: false)
            case (Self.concatenation16, 4):
                part = .init(reference: UInt16(data[0]) << 8 | UInt16(data[1]), total: data[2], sequence: data[3], isWide: true)
            default: continue
            }
            if part.total > 0, (1...part.total).contains(part.sequence) { return part }
        }
        return nil
    }

    /// The national tables that the text uses; of an element that stands twice the last counts. Languages that are not in
    /// TS 23.038 are read as the default alphabet, as it asks for.
    public var shiftTables: ShiftTables {
        func language(_ identifier: UInt8) -> NationalLanguage? {
            guard let element = self.elements.last(where: { $0.identifier == identifier && $0.data.count == 1 }) else { return nil }
            return NationalLanguage(rawValue: element.data[0])
        }
        return ShiftTables(locking: language(Self.lockingShift), single: language(Self.singleShift))
    }

    /// The elements that say something of the message itself: without concatenation and national tables, which are ways to
    /// carry it and are chosen anew when it is written again.
    public var contentElements: [Element] {
        self.elements.filter {
            ![Self.concatenation8, Self.concatenation16, Self.singleShift, Self.lockingShift].contains($0.identifier)
        }
    }
}
