/** A frame as V8 writes it: ends with a place in a file, or is of the engine itself. */
const frame = /^ {4}at .*(:\d+:\d+|<anonymous>|native|index \d+)\)?$/

/**
 * Where an error was made, for a log: frames of its stack, one after the other, without the message. That could quote what somebody wrote,
 * over several lines, and even lines that look like frames.
 */
export function placesOf(error: Error): string {
  const { stack = '', message } = error
  const from = stack.indexOf(message)
  return stack
    .slice(from < 0 ? 0 : from + message.length)
    .split('\n')
    .filter((line) => frame.test(line))
    .slice(0, 8)
    .map((line) => line.trim())
    .join(' | ')
}
