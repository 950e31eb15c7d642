/// An address of a short message entity: type of number, numbering plan and the digits or name itself.
public struct SMEAddress: Hashable, Sendable {
    public var ton: TypeOfNumber
    public var npi: NumberingPlan
    /// At most 20 characters of Latin-1, in data_sm and alert_notification 64.
    public var value: String

    public init(ton: TypeOfNumber = .unknown, npi: NumberingPlan = .unknown, value: String = "") {
        self.ton = ton
        self.npi = npi
        self.value = value
    }

    var octetBound: Int { self.value.utf8.count + 3 }
}
