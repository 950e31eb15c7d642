"""A client that nobody here wrote (smpplib from PyPI) against the simulator.

Usage: smpplib_client.py PORT COUNT. Prints one JSON object: the ids answered, the receipts received, and what else it tried.
"""
import json
import logging
import sys

import smpplib.client
import smpplib.command
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

port, count = int(sys.argv[1]), int(sys.argv[2])
logging.getLogger("smpplib").setLevel(logging.CRITICAL)
answered, receipts, others = {}, [], []


def sent(pdu):
    answered[pdu.sequence] = (pdu.status, (pdu.message_id or b"").decode())


def received(pdu):
    if pdu.command == "deliver_sm" and pdu.esm_class & 0x3C == 0x04:
        receipts.append(
            {
                "id": pdu.receipted_message_id.rstrip(b"\0").decode(),
                "state": pdu.message_state,
                "text": pdu.short_message.decode("latin-1"),
                "from": pdu.source_addr.decode(),
                "to": pdu.destination_addr.decode(),
            }
        )
    else:
        others.append(pdu.command)


client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
client.set_message_sent_handler(sent)
client.set_message_received_handler(received)
client.connect()
client.bind_transceiver(system_id="tester", password="secret")
for number in range(count):
    client.send_message(
        source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
        source_addr="Shop",
        dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
        dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
        destination_addr="4670%07d" % number,
        short_message=b"Message number %d" % number,
        registered_delivery=True,
    )
while len(answered) < count or len(receipts) < count:
    client.read_once()
parts, coding, flag = smpplib.gsm.make_parts("Long \u20ac text " * 30)
for part in parts:
    client.send_message(
        source_addr="Shop", destination_addr="46701234567", short_message=part, data_coding=coding, esm_class=flag
    )
while len(answered) < count + len(parts):
    client.read_once()
client.unbind()
client.disconnect()

refused = None
stranger = smpplib.client.Client("127.0.0.1", port, timeout=10)
stranger.connect()
try:
    stranger.bind_transmitter(system_id="tester", password="wrong")
except smpplib.exceptions.PDUError as error:
    refused = error.args[1]
print(
    json.dumps(
        {
            "ids": [message_id for status, message_id in answered.values() if status == 0],
            "receipts": receipts,
            "others": others,
            "parts": len(parts),
            "refused": refused,
        }
    )
)
