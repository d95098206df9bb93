"""The desk's command line: `toolshed lend drill-1 ann@example.org`."""
import argparse
from datetime import date

from toolshed import db, fees, loans, members, reports, tools, upkeep


def lend(arguments):
    member = members.by_email(arguments.email)
    tool = tools.number_of(arguments.label)
    if member is None or tool is None:
        return 'who or what?'
    try:
        number = loans.lend(tool, member, arguments.today)
    except loans.NotPossible as problem:
        return f'not possible: {problem}'
    upkeep.note(arguments.email, f'borrows {arguments.label}')
    return f'loan {number}, due {loans.due_of(number)}'


def back(arguments):
    try:
        cents = loans.take_back(arguments.number, arguments.today)
    except loans.NotPossible as problem:
        return f'not possible: {problem}'
    return 'thank you' if not cents else 'late: %.2f' % (cents / 100)


def account(arguments):
    member = members.by_email(arguments.email)
    if member is None:
        return 'who?'
    lines = [f'{label} until {due}' for label, due in loans.out(member)]
    return '\n'.join([*lines, 'owes %.2f' % (fees.owed(member) / 100)])


def parser():
    main = argparse.ArgumentParser('toolshed')
    main.add_argument('--today', default=date.today().isoformat())
    commands = main.add_subparsers(required=True)
    for name, action, words in (
        ('lend', lend, ('label', 'email')),
        ('account', account, ('email',)),
        ('summary', lambda _: reports.summary(), ()),
    ):
        command = commands.add_parser(name)
        command.set_defaults(action=action)
        for word in words:
            command.add_argument(word)
    command = commands.add_parser('back')
    command.set_defaults(action=back)
    command.add_argument('number', type=int)
    return main


def main(argv=None):
    db.create_tables()
    arguments = parser().parse_args(argv)
    text = arguments.action(arguments)
    print(text)
    return text


if __name__ == '__main__':
    main()
