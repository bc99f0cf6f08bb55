// npm run openapi -w packages/server: writes openapi.json, what the daemon serves at /openapi.json. It is checked in, so
// that a change of the public interface shows in review; a test compares the two.
import { Api } from "@jitsudo/client"
import * as OpenApi from "effect/http-api/OpenApi"
import { writeFileSync } from "node:fs"

writeFileSync(new URL("../openapi.json", import.meta.url), `${JSON.stringify(OpenApi.fromApi(Api.Api), null, 2)}\n`)
