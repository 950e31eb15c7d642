#!/usr/bin/perl
# A client made of Perl's Net::SMPP: submits messages, collects their receipts, and tells both as JSON on standard output.
# Usage: net_smpp_client.pl PORT SYSTEM_ID PASSWORD DESTINATION COUNT
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my ($port, $system_id, $password, $destination, $count) = @ARGV;
$SIG{ALRM} = sub { die "not finished after a minute\n" };
alarm 60;

my ($smpp, $bound) = Net::SMPP->new_transceiver(
    '127.0.0.1', port => $port, system_id => $system_id, password => $password, smpp_version => 0x34, interface_version => 0x34);
die "no bind: $!\n" unless $smpp && $bound;
die sprintf("bind refused: %#x\n", $bound->{status}) if $bound->{status};

# Without waiting for each answer: in its synchronous mode Net::SMPP throws away receipts that come in between.
my %number_of;
for my $number (1 .. $count) {
    my $sequence = $smpp->submit_sm(
        async => 1, source_addr_ton => 5, source_addr_npi => 0, source_addr => 'Perl', dest_addr_ton => 1, dest_addr_npi => 1,
        destination_addr => $destination, registered_delivery => 1, data_coding => 0, short_message => "from Perl, number $number");
    $number_of{$sequence} = $number;
}

my (%ids, %receipts, @other);
while (keys %receipts < $count) {
    my $pdu = $smpp->read_pdu() or die "the connection ended\n";
    if ($pdu->{cmd} == Net::SMPP::CMD_submit_sm_resp) {
        die sprintf("submit refused: %#x\n", $pdu->{status}) if $pdu->{status};
        $ids{ $number_of{ $pdu->{seq} } } = $pdu->{message_id};
    } elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
        $smpp->deliver_sm_resp(message_id => '', seq => $pdu->{seq});
        my ($id) = $pdu->{short_message} =~ /^id:(\S+)/ or die "no receipt: $pdu->{short_message}\n";
        $receipts{$id} = {
            text => $pdu->{short_message}, esm_class => $pdu->{esm_class}, source => $pdu->{source_addr},
            destination => $pdu->{destination_addr},
            # Net::SMPP hands TLVs out by their names.
            receipted_message_id => $pdu->{receipted_message_id},
        };
    } elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
        $smpp->enquire_link_resp(seq => $pdu->{seq});
    } else {
        push @other, $pdu->{cmd};
    }
}

my $unbound = $smpp->unbind();
print JSON::PP->new->canonical->encode(
    { ids => \%ids, receipts => \%receipts, other => \@other, unbind_status => $unbound ? $unbound->{status} : undef }), "\n";
