"""A provider made of smpp.twisted (the SMPP part of Jasmin): takes messages and sends receipts, by TLVs as well as text.

Tells what it takes as JSON lines on standard output. Usage: twisted_provider.py PORT SYSTEM_ID PASSWORD
"""

import itertools
import json
import sys

from smpp.pdu import operations, pdu_types
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from zope.interface import implementer


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatar_id, mind, *interfaces):
        return interfaces[0], avatar_id, lambda: None


def tell(**what):
    print(json.dumps(what), flush=True)


def receipt(pdu, message_id):
    parameters = pdu.params
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:"
    return operations.DeliverSM(
        source_addr_ton=parameters["dest_addr_ton"], source_addr_npi=parameters["dest_addr_npi"],
        source_addr=parameters["destination_addr"], dest_addr_ton=parameters["source_addr_ton"],
        dest_addr_npi=parameters["source_addr_npi"], destination_addr=parameters["source_addr"],
        esm_class=pdu_types.EsmClass(pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT),
        short_message=text.encode(), receipted_message_id=message_id.encode(),
        message_state=pdu_types.MessageState.DELIVERED)


numbers = itertools.count(1)


def handle(system_id, smpp, pdu):
    if pdu.id != pdu_types.CommandId.submit_sm:
        tell(other=str(pdu.id))
        return pdu_types.CommandStatus.ESME_ROK
    message_id = f"T{next(numbers):08x}"
    parameters = pdu.params
    tell(
        submit=message_id, source=parameters["source_addr"].decode(), destination=parameters["destination_addr"].decode(),
        text=parameters["short_message"].decode("latin-1"), data_coding=str(parameters["data_coding"]))
    if parameters["registered_delivery"].receipt != pdu_types.RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED:
        # After the answer, which goes out when this returns.
        reactor.callLater(0.01, smpp.sendDataRequest, receipt(pdu, message_id))
    return DataHandlerResponse(pdu_types.CommandStatus.ESME_ROK, message_id=message_id.encode())


def main(port, system_id, password):
    portal = Portal(Realm())
    # smpp.twisted asks with texts where the checker's constructor would keep octets.
    users = InMemoryUsernamePasswordDatabaseDontUse()
    users.addUser(system_id, password)
    portal.registerChecker(users)
    configuration = SMPPServerConfig(systems={system_id: {"max_bindings": 5}}, msgHandler=handle)
    reactor.listenTCP(int(port), SMPPServerFactory(configuration, auth_portal=portal), interface="127.0.0.1")
    tell(listening=int(port))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
