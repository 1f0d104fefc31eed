import { runCases } from './case.ts'
import { clientCases } from './client-cases.ts'
import { proxyCases } from './proxy-cases.ts'
import { requestCases } from './request-cases.ts'
import { unpaidCases } from './unpaid-cases.ts'
import { workerCases } from './worker-cases.ts'

runCases([...clientCases, ...workerCases, ...proxyCases, ...requestCases, ...unpaidCases])
