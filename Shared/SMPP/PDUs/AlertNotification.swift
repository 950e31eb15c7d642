/// alert_notification (SMPP 3.4 §4.12.1): a subscriber is reachable again. It has no response.
public struct AlertNotification: Hashable, Sendable {
    /// The subscriber, at most 64 octets.
    public var sourceAddr: SMEAddress
    /// Whom it concerns, at most 64 octets.
    public var esmeAddr: SMEAddress
    public var tlvs: TLVs

    public init(sourceAddr: SMEAddress, esmeAddr: SMEAddress, tlvs: TLVs = []) {
        self.sourceAddr = sourceAddr
        self.esmeAddr = esmeAddr
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.sourceAddr = try reader.address(.longSourceAddr)
        self.esmeAddr = try reader.address(.esmeAddr)
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.address(self.sourceAddr, .longSourceAddr)
        try writer.address(self.esmeAddr, .esmeAddr)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int { self.sourceAddr.octetBound + self.esmeAddr.octetBound + self.tlvs.encodedOctets }
}
