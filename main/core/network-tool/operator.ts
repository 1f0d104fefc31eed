/** The person at the terminal, or the script in its place. */
export interface Operator {
  print(line: string): void
  /** True for the answer "yes". */
  confirm(question: string): Promise<boolean>
  /** True when the very same text is typed in. */
  retype(question: string, expected: string): Promise<boolean>
  /** Told right before a message is handed over: from now on "nothing was sent" is not true any more. */
  sending(): void
}

export function printAll(operator: Operator, lines: readonly string[]): void {
  for (const line of lines) operator.print(line)
}

/** Whether the plan that was shown is to be carried out; says that nothing was sent where it is not. @param agreed asks the person, unless it is a dry run */
export async function isToBeSent(
  operator: Operator,
  dryRun: boolean,
  agreed: () => Promise<boolean> = () => operator.confirm('Type yes to send: '),
): Promise<boolean> {
  if (!dryRun && (await agreed())) return true
  operator.print(dryRun ? 'This was a dry run: nothing was sent.' : 'Nothing was sent.')
  return false
}
