#!/usr/bin/env bash
# For scripts/vmtest.sh, to be sourced by it: what a guest said against what it should have.
# The caller has set `work` and `build`.
# shellcheck disable=SC2154 # work, build: the caller's
begun_at=$(date -u +%FT%TZ)
readonly begun_at budget=tests/bpf/verifier_budget.txt kernels=tests/vm/kernels.txt

# budget_of FAMILY: "program instructions" lines of the column of that kernel; a cell "-" is left out.
budget_of() {
	awk -v family="${1%+}" '
		/^#/ || !NF { next }
		$1 == "program" { for (i = 2; i <= NF; i++) if ($i == family) column = i; next }
		column && $column != "-" { print $1, $column }' $budget
}

# refusals_of FAMILY: "program words" lines.
refusals_of() {
	awk -v family="$1" '$1 == "refused" && $2 == family { $1 = $2 = ""; sub(/^ +/, ""); print }' $kernels
}

# complain WORDS: a finding about the kernel that is judged.
complain() {
	echo "   FAILED: $*"
	findings=$((findings + 1))
}

# judge_programs FAMILY LOG: each program was verified for no more than its budget, or refused as the
# table says. Writes a line for each into $work/figures: "program family instructions|refused".
judge_programs() {
	local family=$1 log=$2 program cost limit said words
	budget_of "$family" >"$work/budget"
	refusals_of "$family" >"$work/refusals"
	grep -q '^VERIFIED 0$' "$log" || complain "verifying the programs came to no good end"
	while read -r program cost; do
		echo "$program ${family%+} $cost" >>"$work/figures"
		limit=$(awk -v program="$program" '$1 == program { print $2 }' "$work/budget")
		if grep -q "^$program " "$work/refusals"; then
			complain "$program loads, which $kernels says it does not: bring the table up to date"
		elif [ -z "$limit" ]; then
			complain "$budget has no figure for $program on ${family%+}; it costs $cost"
		elif [ $((cost * 10)) -gt $((limit * 11)) ]; then
			complain "$program costs the verifier $cost instructions, over 10 % more than $limit:" \
				"make it cheaper, or say in the commit that raises $budget why it must cost more"
		fi
	done < <(sed -n 's/^PROGRAM //p' "$log")
	while read -r program said; do
		echo "$program ${family%+} refused" >>"$work/figures"
		words=$(awk -v program="$program" '$1 == program { $1 = ""; sub(/^ /, ""); print }' "$work/refusals")
		if [ -z "$words" ]; then
			complain "$program is refused: $said"
		elif [[ $said != *"$words"* ]]; then
			complain "$program is refused, but not with \"$words\": $said"
		fi
	done < <(sed -n 's/^REFUSED //p' "$log")
	while read -r program _; do
		grep -qE "^(PROGRAM|REFUSED) $program " "$log" || complain "nothing was heard of $program"
	done < <(cat "$work/budget" "$work/refusals")
}

# judge_fixtures LOG: each test program ran tests, and all of them passed or were skipped. Adds to
# passed, failed and skipped.
judge_fixtures() {
	local log=$1 suite name status good bad not seconds
	for suite in "$work"/image/tests/*_test{,s}; do
		suite=${suite##*/}
		read -r _ name status good bad not seconds < <(grep "^SUITE $suite " "$log" || echo "SUITE $suite none 0 0 0 0")
		passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + not))
		if [ "$status" = none ]; then
			complain "$name did not come to its end"
		elif [ "$status" != 0 ] || [ "$bad" != 0 ]; then
			complain "$name: $bad of $((good + bad)) tests failed (status $status)"
		elif [ "$good" = 0 ] && [ -n "${FLARE_VMTEST_FILTER:-}" ]; then
			echo "   $name: the filter takes none"
		elif [ "$good" = 0 ]; then
			complain "$name ran no test"
		else
			echo "   $name: $good passed, $not skipped, in $seconds s"
		fi
	done
	[ "$passed" -gt 0 ] || complain "no test passed"
}

# add_result FILE NAME STATUS [FIGURE=VALUE]...: a line of results; status 0 is passed.
add_result() {
	local file=$work/$1 name=$2 status=failed figures='' figure value
	[ "$3" != 0 ] || status=passed
	shift 3
	for figure in "$@"; do
		value=${figure#*=}
		[[ $value =~ ^[0-9]+$ ]] || value="\"$value\""
		figures+="${figures:+, }\"${figure%%=*}\": $value"
	done
	echo "{\"name\": \"$name\", \"status\": \"$status\", \"figures\": {$figures}}" >>"$file"
}

# record_results FAMILY LOG FIXTURES: what the guest's lines mean for the catalogue of faults: the programs and the
# test programs, into `matrix`, and each test of tests/vm, into `guests`. Wants what the judges found in the
# variables of judge().
record_results() {
	local family=${1%+} log=$2 fixtures=$3 status name holds words good bad not
	local -a most pairs
	read -ra most < <(sed -n 's/^PROGRAM //p' "$log" | sort -k2 -n | tail -1) || true
	add_result matrix "verify.$family" "$verify_findings" "programs=$(grep -c '^PROGRAM ' "$log")" \
		"refused=$(grep -c '^REFUSED ' "$log")" "instructions_most=${most[1]:-0}" \
		"release=$(sed -n 's/^KERNEL //p' "$log")"
	add_result matrix "guest.$family" "$findings"
	[ "$fixtures" = 1 ] || return 0
	add_result matrix "fixtures.$family" "$fixture_findings" "passed=$passed" "failed=$failed" "skipped=$skipped"
	while read -r _ name status good bad not _; do
		[ "$((good + bad))" = 0 ] ||
			add_result matrix "$name.$family" $((status + bad)) "passed=$good" "failed=$bad" "skipped=$not"
	done < <(grep '^SUITE ' "$log")
	while read -r _ status name words; do
		holds=1
		[ "$status" != passed ] || holds=0
		read -ra pairs <<<"$words"
		add_result guests "$name.$family" $holds "${pairs[@]}"
	done < <(grep '^CASE ' "$log")
}

# write_results FILE PROGRAM: the lines of add_result as one document in reports/trust; none where no test ran.
write_results() {
	[ -s "$work/$1" ] || return 0
	mkdir -p "$build/reports/trust"
	{
		echo "{\"program\": \"$2\", \"timestamp\": \"$begun_at\", \"results\": ["
		sed '$!s/$/,/' "$work/$1"
		echo ']}'
	} >"$build/reports/trust/$2.json"
}

# judge FAMILY LOG FIXTURES: all of what a guest said; sets findings, and of them those of the programs and of
# the test programs, passed, failed, skipped.
judge() {
	local family=$1 log=$2 fixtures=$3
	findings=0 verify_findings=1 fixture_findings=1 passed=0 failed=0 skipped=0
	if ! grep -q '^KERNEL ' "$log"; then
		complain "the guest said nothing of a kernel${guest_end:+: $guest_end}; its last words:"
		tail -5 "$log" | sed 's/^/      /'
		return
	fi
	fits "$family" "$(sed -n 's/^KERNEL //p' "$log")" || complain "another kernel runs in the guest"
	judge_programs "$family" "$log"
	verify_findings=$findings
	[ "$fixtures" = 0 ] || judge_fixtures "$log"
	fixture_findings=$((findings - verify_findings))
	if grep -q '^MODULE ' "$log"; then complain "$(grep -m1 '^MODULE ' "$log")"; fi
	if grep -q '^DMESG ' "$log"; then complain "the kernel complained: $(grep -m1 '^DMESG ' "$log")"; fi
	if ! grep -q '^END$' "$log"; then
		complain "the guest did not come to its end (${guest_end:-a panic}); its last words:"
		tail -3 "$log" | sed 's/^/      /'
	fi
}
