/// submit_multi (SMPP 3.4 §4.5.1).
public struct SubmitMulti: Hashable, Sendable {
    /// One destination (§4.5.1.1).
    public enum Destination: Hashable, Sendable {
        /// dest_flag 1.
        case address(SMEAddress)
        /// dest_flag 2: the name of a list kept at the SMSC, at most 20 octets.
        case distributionList(String)
    }

    public var serviceType: String
    public var sourceAddr: SMEAddress
    /// At most 254 (5.0: 255).
    public var destinations: [Destination]
    public var esmClass: ESMClass
    public var protocolID: UInt8
    public var priorityFlag: UInt8
    public var scheduleDeliveryTime: String
    public var validityPeriod: String
    public var registeredDelivery: RegisteredDelivery
    public var replaceIfPresentFlag: UInt8
    public var dataCoding: DataCoding
    public var smDefaultMsgID: UInt8
    public var shortMessage: [UInt8]
    public var tlvs: TLVs

    /// The same message to each of `destinations`; `template.destinationAddr` does not count.
    public init(_ template: SubmitSm, destinations: [Destination]) {
        self.serviceType = template.serviceType
        self.sourceAddr = template.sourceAddr
        self.destinations = destinations
        self.esmClass = template.esmClass
        self.protocolID = template.protocolID
        self.priorityFlag = template.priorityFlag
        self.scheduleDeliveryTime = template.scheduleDeliveryTime
        self.validityPeriod = template.validityPeriod
        self.registeredDelivery = template.registeredDelivery
        self.replaceIfPresentFlag = template.replaceIfPresentFlag
        self.dataCoding = template.dataCoding
        self.smDefaultMsgID = template.smDefaultMsgID
        self.shortMessage = template.shortMessage
        self.tlvs = template.tlvs
    }

    /// The submit_sm that would carry this message to one address.
    public func submitSm(to destination: SMEAddress) -> SubmitSm {
        SubmitSm(
            serviceType: self.serviceType, sourceAddr: self.sourceAddr, destinationAddr: destination, esmClass: self.esmClass,
            protocolID: self.protocolID, priorityFlag: self.priorityFlag, scheduleDeliveryTime: self.scheduleDeliveryTime,
            validityPeriod: self.validityPeriod, registeredDelivery: self.registeredDelivery,
            replaceIfPresentFlag: self.replaceIfPresentFlag, dataCoding: self.dataCoding, smDefaultMsgID: self.smDefaultMsgID,
            shortMessage: self.shortMessage, tlvs: self.tlvs)
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.serviceType = try reader.cOctets(.serviceType)
        self.sourceAddr = try reader.address(.sourceAddr)
        let count = try reader.octet("number_of_dests", onError: .invalidNumberOfDestinations)
        var destinations: [Destination] = []
        for _ in 0..<count {
            switch try reader.octet("dest_flag", onError: .invalidNumberOfDestinations) {
            case 1: destinations.append(.address(try reader.address(.destinationAddr)))
            case 2: destinations.append(.distributionList(try reader.cOctets(.dlName)))
            default: throw reader.error("dest_flag", .invalidValue, .invalidDestinationFlag)
            }
        }
        self.destinations = destinations
        self.esmClass = .init(rawValue: try reader.octet("esm_class"))
        self.protocolID = try reader.octet("protocol_id")
        self.priorityFlag = try reader.octet("priority_flag")
        self.scheduleDeliveryTime = try reader.cOctets(.scheduleDeliveryTime)
        self.validityPeriod = try reader.cOctets(.validityPeriod)
        self.registeredDelivery = .init(rawValue: try reader.octet("registered_delivery"))
        self.replaceIfPresentFlag = try reader.octet("replace_if_present_flag")
        self.dataCoding = .init(rawValue: try reader.octet("data_coding"))
        self.smDefaultMsgID = try reader.octet("sm_default_msg_id")
        self.shortMessage = try reader.shortMessage()
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        try writer.cOctets(self.serviceType, .serviceType)
        try writer.address(self.sourceAddr, .sourceAddr)
        guard let count = UInt8(exactly: self.destinations.count) else {
            throw PDUError(
                field: "number_of_dests", offset: writer.position, problem: .tooLong, status: .invalidNumberOfDestinations)
        }
        writer.octet(count)
        for destination in self.destinations {
            switch destination {
            case .address(let address):
                writer.octet(1)
                try writer.address(address, .destinationAddr)
            case .distributionList(let name):
                writer.octet(2)
                try writer.cOctets(name, .dlName)
            }
        }
        writer.octet(self.esmClass.rawValue)
        writer.octet(self.protocolID)
        writer.octet(self.priorityFlag)
        try writer.cOctets(self.scheduleDeliveryTime, .scheduleDeliveryTime)
        try writer.cOctets(self.validityPeriod, .validityPeriod)
        writer.octet(self.registeredDelivery.rawValue)
        writer.octet(self.replaceIfPresentFlag)
        writer.octet(self.dataCoding.rawValue)
        writer.octet(self.smDefaultMsgID)
        try writer.shortMessage(self.shortMessage)
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        var sum = 12 + self.serviceType.utf8.count + self.sourceAddr.octetBound
        for destination in self.destinations {
            switch destination {
            case .address(let address): sum += 1 + address.octetBound
            case .distributionList(let name): sum += 2 + name.utf8.count
            }
        }
        return sum + self.scheduleDeliveryTime.utf8.count + self.validityPeriod.utf8.count + self.shortMessage.count
            + self.tlvs.encodedOctets
    }
}

/// submit_multi_resp (§4.5.2).
public struct SubmitMultiResp: Hashable, Sendable {
    /// A destination that was refused, and why.
    public struct Unsuccessful: Hashable, Sendable {
        public var address: SMEAddress
        public var status: CommandStatus

        public init(address: SMEAddress, status: CommandStatus) {
            self.address = address
            self.status = status
        }
    }

    /// Nil when the response has no body.
    public var messageID: String?
    public var unsuccessful: [Unsuccessful]
    public var tlvs: TLVs

    public init(messageID: String?, unsuccessful: [Unsuccessful] = [], tlvs: TLVs = []) {
        self.messageID = messageID
        self.unsuccessful = unsuccessful
        self.tlvs = tlvs
    }

    init(decoding reader: inout PDUReader) throws(PDUError) {
        self.unsuccessful = []
        self.tlvs = []
        self.messageID = nil
        if reader.remaining == 0 { return }
        self.messageID = try reader.cOctets(.messageID)
        // no_unsuccess is missing from some peers' answers when all went well.
        if reader.remaining == 0 { return }
        let count = try reader.octet("no_unsuccess")
        for _ in 0..<count {
            let address = try reader.address(.destinationAddr)
            let status = try reader.integer("error_status_code", as: UInt32.self, onError: .invalidCommandLength)
            self.unsuccessful.append(Unsuccessful(address: address, status: .init(rawValue: status)))
        }
        self.tlvs = try reader.tlvs()
    }

    func encode(into writer: inout PDUWriter) throws(PDUError) {
        guard let messageID else { return }
        try writer.cOctets(messageID, .messageID)
        guard let count = UInt8(exactly: self.unsuccessful.count) else {
            throw PDUError(field: "no_unsuccess", offset: writer.position, problem: .tooLong, status: .invalidNumberOfDestinations)
        }
        writer.octet(count)
        for one in self.unsuccessful {
            try writer.address(one.address, .destinationAddr)
            writer.integer(one.status.rawValue)
        }
        try writer.tlvs(self.tlvs)
    }

    var octetBound: Int {
        2 + (self.messageID?.utf8.count ?? 0) + self.unsuccessful.reduce(0) { $0 + $1.address.octetBound + 4 } + self.tlvs.encodedOctets
    }
}
