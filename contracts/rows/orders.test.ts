import { runCases } from './case.ts'
import { commonCases } from './common-cases.ts'
import { exitCases } from './exit-cases.ts'
import { rootCases } from './root-cases.ts'
import { signedCases } from './signed-cases.ts'
import { walletCases } from './wallet-cases.ts'

runCases([...rootCases, ...signedCases, ...commonCases, ...exitCases, ...walletCases])
