"""A suite for MS-FSRVP in another language than the server's: states, contexts, names, ids, two
clients, timers. It knows the specification and nothing of what it tests.

    suite.py PROFILE KIND=PORT[,PORT...] ...   (the password comes from FSRVP_PASSWORD)
"""
import os
import sys

import rules
import table
import timers
from bench import Findings, Server


def main():
    profile, *words = sys.argv[1:]
    ports = {}
    for word in words:
        kind, _, numbers = word.partition('=')
        ports[kind] = [int(number) for number in numbers.split(',') if number]
    password = os.environ['FSRVP_PASSWORD']
    findings = Findings()
    try:
        judge(profile, ports, password, findings)
    finally:
        for line in findings.wrong:
            print(line)
        print('%d checked, %d wrong' % (findings.checked, len(findings.wrong)))
    return 1 if findings.wrong else 0


def judge(profile, ports, password, findings):
    def server(port, hold=None):
        return Server(profile, port, password, hold)

    gated = server(ports['gated'][0], os.environ['FSRVP_HOLD'])
    table.check_table(gated, findings, [server(port) for port in ports.get('spare', [])])
    plain = server(ports['plain'][0])
    for rule, under_test in [(rules.waits, gated)] + [(rule, plain) for rule in rules.ALL]:
        before = len(findings.wrong)
        rule(under_test, findings)
        findings.wrong[before:] = [rule.__name__ + ': ' + line for line in findings.wrong[before:]]
    timers.check_timers([server(port) for port in ports['timed']], findings)


if __name__ == '__main__':
    sys.exit(main())
