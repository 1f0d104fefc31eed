import { createInterface } from 'node:readline/promises'
import { Failure } from '../base/failure.ts'

/** Reads one line from whoever is at the other end; null at its end. */
let lines: AsyncIterator<string> | undefined

async function readLine(question: string): Promise<string | null> {
  process.stdout.write(question)
  // One reader for all questions: a second one would lose what the first has read ahead from a pipe.
  lines ??= createInterface({ input: process.stdin, terminal: false })[Symbol.asyncIterator]()
  const next = await lines.next()
  if (next.done !== true) return next.value
  process.stdout.write('\n')
  return null
}

/** True for the answer "yes", in any case of letters. */
export async function confirm(question: string): Promise<boolean> {
  return (await readLine(question))?.trim().toLowerCase() === 'yes'
}

/** True when exactly `expected` is typed in. */
export async function retype(question: string, expected: string): Promise<boolean> {
  return (await readLine(question))?.trim() === expected
}

/**
 * Asks for a secret at the terminal, without showing it.
 * @throws Failure `no-terminal` where nobody can type unseen, `stopped` for Ctrl-C
 */
export function askSecret(question: string): Promise<string> {
  const { stdin, stdout } = process
  if (!stdin.isTTY)
    throw new Failure('no-terminal', `${question}: nobody can be asked, because there is no terminal.`, {
      advice:
        'Give the secret by a file (mode 0600) or by the environment: --phrase-file, --phrase-env, --password-file, --password-env.',
    })
  stdout.write(`${question} (not shown): `)
  return new Promise((resolve, reject) => {
    let typed = ''
    const end = (act: () => void): void => {
      stdin.off('data', read)
      stdin.setRawMode(false)
      stdin.pause()
      stdout.write('\n')
      act()
    }
    const read = (chunk: Buffer): void => {
      for (const character of chunk.toString('utf8')) {
        if (character === '\r' || character === '\n') return end(() => resolve(typed))
        if (character === '\u0003' || character === '\u0004')
          return end(() => reject(new Failure('stopped', 'Stopped.', { money: 'Nothing was sent.' })))
        if (character === '\u007f' || character === '\b') typed = [...typed].slice(0, -1).join('')
        else if (character >= ' ') typed += character
      }
    }
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on('data', read)
  })
}
