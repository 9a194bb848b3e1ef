// Verifies DKIM signatures. stdin: a JSON list of messages in base64; argv[2]: JSON {"name": "TXT record"}.
// Prints a JSON list with the results of each message.
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

const records = JSON.parse(process.argv[2]);

const resolver = async (name, type) => {
    if (type === 'TXT' && records[name]) {
        return [[records[name]]];
    }
    const error = new Error(`no ${type} record for ${name}`);
    error.code = 'ENOTFOUND';
    throw error;
};

const chunks = [];
for await (const chunk of process.stdin) {
    chunks.push(chunk);
}

const verdicts = [];
for (const message of JSON.parse(Buffer.concat(chunks).toString())) {
    const { results } = await dkimVerify(Buffer.from(message, 'base64'), { resolver });
    verdicts.push(results.map(({ signingDomain, status }) => [signingDomain, status.result, status.comment || '']));
}
console.log(JSON.stringify(verdicts));
