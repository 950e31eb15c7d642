/// cancel_sm (SMPP 3.4 §4.9.1): of one message, or of all with these addresses and this service type when the id is empty.
public struct CancelSm: Hashable, Sendable {
    public var serviceType: String
    public var messageID: String
    public var sourceAddr: SMEAddress
    public var destinationAddr: SMEAddress
    /// None by the specification, yet they come: kept.
    public var tlvs: TLVs

    public init(
        serviceType: String = "", messageID: String, sourceAddr: SMEAddress, destinationAddr: SMEAddress, tlvs: TLVs = []
    ) {
        self.tlvs = tlvs
        self.serviceType = serviceType
        self.messageID = messageID
        self.sourceAddr = sourceAddr
        self.destinationAddr = destinationAddr
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.messageID = try reader.cOctets(.messageID)
        self.sourceAddr = try reader.address(.sourceAddr)
        self.destinationAddr = try reader.address(.destinationAddr)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.cOctets(self.messageID, .messageID)
        try writer.address(self.sourceAddr, .sourceAddr)
        try writer.address(self.destinationAddr, .destinationAddr)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        2 + self.serviceType.utf8.count + self.messageID.utf8.count + self.sourceAddr.octetBound + self.destinationAddr.octetBound
            + self.tlvs.encodedOctets
    }
}
