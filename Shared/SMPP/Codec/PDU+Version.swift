extension InterfaceVersion {
    /// Whether the version has this PDU (3.3: its §4; 3.4: table 2-1; 5.0: §4.1). Vendors' own numbers belong to none.
    public func has(_ command: CommandID) -> Bool {
        switch command.request {
        case .bindTransmitter, .bindReceiver, .unbind, .submitSm, .submitMulti, .deliverSm, .querySm, .cancelSm, .replaceSm,
            .enquireLink, CommandID(rawValue: 0):
            true
        case .bindTransceiver, .outbind, .dataSm, .alertNotification: self.rawValue >= Self.v34.rawValue
        case .broadcastSm, .queryBroadcastSm, .cancelBroadcastSm: self.rawValue >= Self.v50.rawValue
        default: false
        }
    }
}

extension PDU.Body {
    /// The body as a peer of `version` may be sent it. To one of 3.3 or older nothing goes in optional parameters (3.4
    /// §3.4.2): `message_payload` moves to short_message where it fits, data_sm becomes submit_sm or deliver_sm, the rest
    /// of the parameters are dropped.
    /// - Parameter fromSMSC: whether it is the SMSC that speaks: it decides what a data_sm becomes.
    /// - Throws: ``PDUError`` where the version has no way to say it.
    public func adapted(to version: InterfaceVersion, fromSMSC: Bool) throws(PDUError) -> PDU.Body {
        if version.allowsTLVs { return self }
        switch self {
        case .submitSm(let body): return .submitSm(try body.withoutTLVs())
        case .deliverSm(let body): return .deliverSm(try body.withoutTLVs())
        case .submitMulti(var body):
            if body.shortMessage.isEmpty, let payload = body.tlvs.messagePayload { body.shortMessage = try payload.asShortMessage() }
            body.tlvs = []
            return .submitMulti(body)
        case .replaceSm(var body):
            if body.shortMessage.isEmpty, let payload = body.tlvs.messagePayload { body.shortMessage = try payload.asShortMessage() }
            body.tlvs = []
            return .replaceSm(body)
        case .dataSm(let body):
            let message = try ShortMessagePDU(body).withoutTLVs()
            return fromSMSC ? .deliverSm(message) : .submitSm(message)
        case .bind(var body):
            body.tlvs = []
            return .bind(body)
        case .bindResp(var body):
            body.tlvs = []
            return .bindResp(body)
        case .submitSmResp(var body):
            body.tlvs = []
            return .submitSmResp(body)
        case .deliverSmResp(var body):
            body.tlvs = []
            return .deliverSmResp(body)
        case .submitMultiResp(var body):
            body.tlvs = []
            return .submitMultiResp(body)
        case .querySm, .querySmResp, .cancelSm, .cancelSmResp, .replaceSmResp, .enquireLink, .enquireLinkResp, .unbind, .unbindResp,
            .genericNack, .dataSmResp, .outbind, .alertNotification, .broadcastSm, .broadcastSmResp, .queryBroadcastSm,
            .queryBroadcastSmResp, .cancelBroadcastSm, .cancelBroadcastSmResp:
            return self
        }
    }
}

extension ShortMessagePDU {
    /// The submit_sm or deliver_sm that says what this data_sm says.
    public init(_ data: DataSm) {
        self.init(
            serviceType: data.serviceType, sourceAddr: data.sourceAddr, destinationAddr: data.destinationAddr, esmClass: data.esmClass,
            registeredDelivery: data.registeredDelivery, dataCoding: data.dataCoding, tlvs: data.tlvs)
    }

    fileprivate func withoutTLVs() throws(PDUError) -> ShortMessagePDU {
        if self.tlvs.isEmpty { return self }
        var copy = self
        if copy.shortMessage.isEmpty, let payload = copy.tlvs.messagePayload { copy.shortMessage = try payload.asShortMessage() }
        copy.tlvs = []
        return copy
    }
}

extension [UInt8] {
    fileprivate func asShortMessage() throws(PDUError) -> [UInt8] {
        guard self.count <= 254 else {
            throw PDUError(field: "message_payload", offset: 0, problem: .tooLong, status: .invalidMessageLength)
        }
        return self
    }
}
