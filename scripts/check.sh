#!/usr/bin/env bash
# Format, tidy, shellcheck and the direction of includes; every finding is an error.
# Usage: scripts/check.sh BUILD | scripts/check.sh --format
set -uo pipefail
cd "$(dirname "$0")/.." || exit

mapfile -t cpp < <(git ls-files 'agent/*.h' 'agent/*.cpp' 'tools/*.h' 'tools/*.cpp' 'tests/*.h' 'tests/*.cpp')
mapfile -t bpf < <(git ls-files 'bpf/*.h' 'bpf/*.c' 'tests/*.bpf.c' 'tools/*.bpf.c')
mapfile -t shell < <(git grep -lE '^#!.*\b(ba)?sh\b' -- scripts tools tests .ci)

if [ "${1:-}" = --format ]; then
	clang-format -i "${cpp[@]}" "${bpf[@]}"
	exit
fi
build=${1:?usage: scripts/check.sh BUILD | --format}
failed=0

clang-format --dry-run -Werror "${cpp[@]}" "${bpf[@]}" || failed=1

shellcheck "${shell[@]}" || failed=1

# Who may include whom, by folder of agent/. main.cpp may include all of them.
allowed() {
	case $1 in
	base) echo ;;
	model) echo base ;;
	loop) echo base ;;
	kernel | control | discovery | host) echo "base model" ;;
	health) echo "base model loop" ;;
	service) echo "base model loop host kernel control discovery health" ;;
	*) echo "?" ;;
	esac
}
for folder in agent/*/; do
	part=$(basename "$folder")
	may=" $(allowed "$part") $part "
	if [[ $may == *'?'* ]]; then
		echo "scripts/check.sh does not know whom agent/$part may include" >&2
		failed=1
		continue
	fi
	while IFS=: read -r file line include; do
		target=$(sed -E 's/^#include "([a-z_]+)\/.*/\1/' <<<"$include")
		[ -d "agent/$target" ] || continue
		if [[ $may != *" $target "* ]]; then
			echo "$file:$line: agent/$part may not include agent/$target" >&2
			failed=1
		fi
	done < <(git grep -nE '^#include "[a-z_]+/' -- "$folder" || true)
done
if git grep -nE '#include [<"](bpf/(bpf|libbpf)\.h|linux/bpf\.h)' -- agent tools ':!agent/kernel' >&2; then
	echo "libbpf appears in agent/kernel only" >&2
	failed=1
fi

mapfile -t units < <(git ls-files 'agent/*.cpp' 'tools/*.cpp')
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" 2>/dev/null || failed=1

[ $failed = 0 ] && echo "check: clean"
exit $failed
