#!/usr/bin/env bash
# The application profiles of the evaluation, to be sourced by eval_cell.sh: who calls whom, and which
# service is the bottleneck that Flare stands in front of. The paper's applications are of this form;
# the times are ours, such that a request holds a slot of the bottleneck for 73 ms on average (its own
# work and the calls that it waits for), as the paper's calm latency says. Reads `profile`.
#
#   bookinfo            client ─ VIP ─ [productpage] ─┬ details
#                                                     └ reviews ─ ratings
#   online_boutique     client ─ front ┬ VIP ─ [recommendation] ─ catalog
#                                      ├ cart
#                                      └ currency
#   hotel_reservation   client ─ front ─ VIP ─ [search] ─ geo, then rate; then front ─ profile
# shellcheck disable=SC2034 # read by eval_cell.sh
: "${profile:?is set by the script that sources this}"

readonly chain_address=10.20.2.10
# chain_services: "port mean_ms seed calls...", in the order of starting.
# pod_mean_ms, pod_calls: the bottleneck, in either tier. front_mean_ms, front_calls: the service in
# front of it; no front where front_mean_ms is empty. $vip stands for the bottleneck's frontend.
case $profile in
bookinfo)
	chain_services=("8083 5 13" "8081 8 11" "8082 10 12 --call $chain_address:8083")
	pod_mean_ms=57.6
	pod_calls=(--call "$chain_address:8081" --call "$chain_address:8082")
	front_mean_ms='' front_calls=()
	;;
online_boutique)
	chain_services=("8081 6 21" "8082 4 22" "8083 6 23")
	pod_mean_ms=67.6
	pod_calls=(--call "$chain_address:8083")
	front_mean_ms=6
	front_calls=(--call "$vip" --call "$chain_address:8081" --call "$chain_address:8082")
	;;
hotel_reservation)
	chain_services=("8081 8 31" "8082 5 32" "8083 7 33")
	pod_mean_ms=60.8
	pod_calls=(--calls sequence --call "$chain_address:8082" --call "$chain_address:8083")
	front_mean_ms=4
	front_calls=(--calls sequence --call "$vip" --call "$chain_address:8081")
	;;
*)
	echo "no profile '$profile'; there is: bookinfo, online_boutique, hotel_reservation" >&2
	exit 2
	;;
esac
