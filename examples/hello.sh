#!/usr/bin/env bash
# hello.sh COMMAND: run it in the daemon's shell. Needs websocat and jq.
type websocat jq >/dev/null || exit 1
coproc WS { exec websocat -B 16777216 "$SHELLWIRE_URL"; }
trap 'kill "$pid"' EXIT
pid=$WS_PID
send() { jq -nc "$@" >&"${WS[1]}"; }

send --arg token "$SHELLWIRE_TOKEN" '{type: "auth", $token, client_id: "hello.sh"}'
while IFS= read -r message <&"${WS[0]}"; do
  case $(jq -r '.stream // .type' <<<"$message") in
    status) send --arg command "$*" '{type: "execute", id: "1", $command}' ;;
    stdout) jq -j .data <<<"$message" ;;
    stderr) jq -j .data <<<"$message" >&2 ;;
    error) jq -r '"\(.code): \(.message)"' <<<"$message" >&2 && exit 1 ;;
    result) jq -r '.reason | select(. != "exited")' <<<"$message" >&2 && exit "$(jq 'if .signal then 128 - .exit_code else .exit_code end' <<<"$message")" ;;
  esac
done
echo "the connection is gone" >&2
exit 1
