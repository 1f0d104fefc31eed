import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { asError, Failure } from '../base/failure.ts'

const mostBytes = 64 * 1024

/**
 * Reads a file that holds a secret. A file that others may read is refused: who could read it already may have done so.
 * A pipe (`/dev/stdin`, `/dev/fd/3`) is taken as it is.
 * @throws Failure `secret-file-missing`, `secret-file-open`, `secret-file-too-large`; the content is in none of them
 */
export function readSecretFile(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (thrown) {
    throw new Failure('secret-file-missing', `${path} cannot be read: ${asError(thrown).message}`, { cause: thrown })
  }
  try {
    const { mode } = fstatSync(file)
    // Windows has no such bits; there the folder of the user protects it.
    if (fstatSync(file).isFile() && process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new Failure('secret-file-open', `${path} may be read by others (mode ${(mode & 0o777).toString(8)}).`, {
        advice: `Take that away with "chmod 600 ${path}". If others did read it, move the money to a new wallet.`,
      })
    }
    const room = Buffer.alloc(mostBytes + 1)
    let size = 0
    for (let read = 1; read > 0 && size <= mostBytes; size += read) read = readSync(file, room, size, room.length - size, null)
    const text = room.toString('utf8', 0, size)
    room.fill(0)
    if (size > mostBytes) throw new Failure('secret-file-too-large', `${path} is too long to be a phrase, a password or a key.`)
    return text
  } finally {
    closeSync(file)
  }
}
