/// bind_transmitter, bind_receiver and bind_transceiver (SMPP 3.4 §4.1.1, §4.1.3, §4.1.5).
public struct Bind: Hashable, Sendable {
    public var kind: BindKind
    /// At most 15 octets.
    public var systemID: String
    /// At most 8 octets by the specification; we read and write up to 64.
    public var password: String
    /// At most 12 octets.
    public var systemType: String
    public var interfaceVersion: InterfaceVersion
    public var addrTON: TypeOfNumber
    public var addrNPI: NumberingPlan
    /// At most 40 octets: a UNIX regular expression of the addresses served (Appendix A).
    public var addressRange: String
    /// None by the specification, yet they come: kept.
    public var tlvs: TLVs

    public init(
        kind: BindKind, systemID: String, password: String, systemType: String = "", interfaceVersion: InterfaceVersion = .v34,
        addrTON: TypeOfNumber = .unknown, addrNPI: NumberingPlan = .unknown, addressRange: String = "", tlvs: TLVs = []
    ) {
        self.kind = kind
        self.systemID = systemID
        self.password = password
        self.systemType = systemType
        self.interfaceVersion = interfaceVersion
        self.addrTON = addrTON
        self.addrNPI = addrNPI
        self.addressRange = addressRange
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader, kind: BindKind) throws(PDUError) {
        self.kind = kind
        self.systemID = try reader.cOctets(.systemID)
        self.password = try reader.cOctets(.password)
        self.systemType = try reader.cOctets(.systemType)
        self.interfaceVersion = .init(rawValue: try reader.octet("interface_version"))
        self.addrTON = .init(rawValue: try reader.octet("addr_ton"))
        self.addrNPI = .init(rawValue: try reader.octet("addr_npi"))
        self.addressRange = try reader.cOctets(.addressRange)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.systemID, .systemID)
        try writer.cOctets(self.password, .password)
        try writer.cOctets(self.systemType, .systemType)
        writer.octet(self.interfaceVersion.rawValue)
        writer.octet(self.addrTON.rawValue)
        writer.octet(self.addrNPI.rawValue)
        try writer.cOctets(self.addressRange, .addressRange)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        7 + self.systemID.utf8.count + self.password.utf8.count + self.systemType.utf8.count + self.addressRange.utf8.count
            + self.tlvs.encodedOctets
    }
}

extension Bind: CustomStringConvertible {
    /// Without the password.
    public var description: String { "\(self.kind.commandID) \(self.systemID)" }
}

/// The response to any bind (§4.1.2, §4.1.4, §4.1.6).
public struct BindResp: Hashable, Sendable {
    public var kind: BindKind
    /// The SMSC's name, at most 15 octets; nil when the response has no body, as a refusal may.
    public var systemID: String?
    public var tlvs: TLVs

    public init(kind: BindKind, systemID: String?, tlvs: TLVs = []) {
        self.kind = kind
        self.systemID = systemID
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader, kind: BindKind) throws(PDUError) {
        self.kind = kind
        self.systemID = reader.remaining == 0 ? nil : try reader.cOctets(.systemID)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        guard let systemID else { return }
        try writer.cOctets(systemID, .systemID)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int { 1 + (self.systemID?.utf8.count ?? 0) + self.tlvs.encodedOctets }
}

/// outbind (§4.1.7): the SMSC connects and asks the ESME to bind as a receiver.
public struct Outbind: Hashable, Sendable {
    public var systemID: String
    public var password: String

    public init(systemID: String, password: String) {
        self.systemID = systemID
        self.password = password
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.systemID = try reader.cOctets(.systemID)
        self.password = try reader.cOctets(.password)
        try reader.expectEnd()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.systemID, .systemID)
        try writer.cOctets(self.password, .password)
    }

    var octetBound: Int { 2 + self.systemID.utf8.count + self.password.utf8.count }
}

extension Outbind: CustomStringConvertible {
    /// Without the password.
    public var description: String { "outbind \(self.systemID)" }
}
