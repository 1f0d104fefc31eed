import { Failure } from '../base/failure.ts'
import { passwordFromEnvironment, tellPasswordBy } from '../wallet/vault-password.ts'
import { askSecret } from './terminal.ts'

/** How the vault's password is learnt, once a vault turns out to have one: from the file that is named, else from who sits at the terminal. */
export function vaultPassword(): () => Promise<string> {
  return passwordFromEnvironment() ?? ask
}

async function ask(): Promise<string> {
  if (process.stdin.isTTY) return askSecret('Password of the vault')
  throw new Failure('vault-password-needed', 'The vault is locked with a password, and there is no terminal to ask for it.', {
    advice: tellPasswordBy,
  })
}
