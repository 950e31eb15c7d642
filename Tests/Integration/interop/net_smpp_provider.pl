#!/usr/bin/perl
# A provider made of Perl's Net::SMPP: takes binds and messages, and sends a receipt for each that asks for one.
# Tells what it takes as JSON lines on standard output.
# Usage: net_smpp_provider.pl PORT
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my ($port) = @ARGV;
$| = 1;
$SIG{CHLD} = 'IGNORE';
my $json = JSON::PP->new->canonical;
my $listener = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34) or die "cannot listen: $!\n";
# The constructor's default would end accept after two minutes.
${*$listener}{io_socket_timeout} = undef;
print $json->encode({ listening => $port }), "\n";

while (my $smpp = $listener->accept()) {
    my $child = fork() // die "no process: $!\n";
    if ($child) { close $smpp; next }
    close $listener;
    serve($smpp);
    exit 0;
}

sub serve {
    my ($smpp) = @_;
    $smpp->set_version(0x34);
    my $number = 0;
    while (my $pdu = $smpp->read_pdu()) {
        my $command = $pdu->{cmd};
        if ($command == Net::SMPP::CMD_bind_transceiver) {
            print $json->encode({ bind => $pdu->{system_id}, version => $pdu->{interface_version} }), "\n";
            $smpp->bind_transceiver_resp(system_id => 'perl', seq => $pdu->{seq});
        } elsif ($command == Net::SMPP::CMD_submit_sm) {
            my $id = sprintf('P%d-%04d', $$, ++$number);
            $smpp->submit_sm_resp(message_id => $id, seq => $pdu->{seq});
            print $json->encode({
                submit => $id, source => $pdu->{source_addr}, destination => $pdu->{destination_addr},
                text => $pdu->{short_message}, data_coding => $pdu->{data_coding} }), "\n";
            receipt($smpp, $pdu, $id) if $pdu->{registered_delivery};
        } elsif ($command == Net::SMPP::CMD_enquire_link) {
            $smpp->enquire_link_resp(seq => $pdu->{seq});
        } elsif ($command == Net::SMPP::CMD_unbind) {
            $smpp->unbind_resp(seq => $pdu->{seq});
            return;
        } elsif ($command != Net::SMPP::CMD_deliver_sm_resp) {
            print $json->encode({ unexpected => $command }), "\n";
        }
    }
}

sub receipt {
    my ($smpp, $pdu, $id) = @_;
    $smpp->deliver_sm(
        async => 1, esm_class => 0x04, source_addr_ton => 1, source_addr_npi => 1, source_addr => $pdu->{destination_addr},
        dest_addr_ton => $pdu->{source_addr_ton}, dest_addr_npi => 0, destination_addr => $pdu->{source_addr}, data_coding => 0,
        short_message => "id:$id sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:");
}
