/// data_sm (SMPP 3.4 §4.7.1). Its user data is in the `message_payload` parameter.
public struct DataSm: Hashable, Sendable {
    public var serviceType: String
    /// At most 64 octets.
    public var sourceAddr: SMEAddress
    /// At most 64 octets.
    public var destinationAddr: SMEAddress
    public var esmClass: ESMClass
    public var registeredDelivery: RegisteredDelivery
    public var dataCoding: DataCoding
    public var tlvs: TLVs

    public init(
        serviceType: String = "", sourceAddr: SMEAddress, destinationAddr: SMEAddress, esmClass: ESMClass = .default,
        registeredDelivery: RegisteredDelivery = .none, dataCoding: DataCoding = .smscDefault, tlvs: TLVs = []
    ) {
        self.serviceType = serviceType
        self.sourceAddr = sourceAddr
        self.destinationAddr = destinationAddr
        self.esmClass = esmClass
        self.registeredDelivery = registeredDelivery
        self.dataCoding = dataCoding
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.sourceAddr = try reader.address(.longSourceAddr)
        self.destinationAddr = try reader.address(.longDestinationAddr)
        self.esmClass = .init(rawValue: try reader.octet("esm_class"))
        self.registeredDelivery = .init(rawValue: try reader.octet("registered_delivery"))
        self.dataCoding = .init(rawValue: try reader.octet("data_coding"))
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.address(self.sourceAddr, .longSourceAddr)
        try writer.address(self.destinationAddr, .longDestinationAddr)
        writer.octet(self.esmClass.rawValue)
        writer.octet(self.registeredDelivery.rawValue)
        writer.octet(self.dataCoding.rawValue)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        4 + self.serviceType.utf8.count + self.sourceAddr.octetBound + self.destinationAddr.octetBound + self.tlvs.encodedOctets
    }
}
